"""How changes reach many clusters: branches or artifacts, hub and spokes, signatures, pipelines."""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan import checks, copier_adapter, repository
from groundplan.answers.signers import id_of
from groundplan.cli import main
from groundplan.findings import Severity
from groundplan.posture.owners import Codeowners
from groundplan.template import Template
from groundplan.tree import Tree
from tests.rendering import (
    CLUSTERS,
    ENGINES,
    KEYS,
    READY,
    ROOT,
    SIGNERS,
    TEAMS,
    TIERS,
    on_clusters,
    one,
    parsed,
    sharding_template,
)

FLEET = [
    CLUSTERS["eks"] | {"name": "hub"},
    CLUSTERS["eks"] | {"name": "far", "region": "us-east-1", "account": "123456789012"},
    CLUSTERS["kind"] | {"name": "near", "environment": "staging"},
]
DELIVERING = [
    TEAMS[0] | {"repository": "https://github.com/acme/payments.git"},
    TEAMS[1] | {"clusters": ["near", "hub"], "gpus": "2"},
]


@cache
def fleet(**answers: str) -> Tree:
    """A repository for three clusters in two environments, and two teams."""
    chosen = {"tier": "enterprise", "practices": READY, "clusters": FLEET, "teams": DELIVERING}
    chosen |= answers
    with TemporaryDirectory() as folder:
        copier_adapter.render(Template(ROOT, "v0"), chosen, Path(folder, "rendered"))
        return Tree.read(Path(folder, "rendered"))


def sync(tree: Tree, cluster: str) -> Any:
    return one(tree, f"clusters/{cluster}/flux-system/flux-instance.yaml")["spec"]["sync"]


# --- one model, two engines


@pytest.mark.parametrize("tier", TIERS)
def test_both_engines_put_the_same_objects_on_every_cluster(tier: str) -> None:
    flux, argocd = (on_clusters(fleet(engine=engine, tier=tier)) for engine in ENGINES)

    assert flux.keys() == argocd.keys() == {"hub", "far", "near"}
    for cluster in flux:
        assert flux[cluster].keys() == argocd[cluster].keys()
        differing = {k for k, body in flux[cluster].items() if body != argocd[cluster][k]}
        assert differing == set()
    namespaces = {
        name: {key[3] for key in on if key[1] == "Namespace"} for name, on in flux.items()
    }
    assert {name for name, found in namespaces.items() if "search" in found} == {"near", "hub"}


# --- promotion


def test_on_the_trunk_every_cluster_follows_main() -> None:
    refs = {cluster: sync(fleet(), cluster)["ref"] for cluster in ("hub", "far", "near")}

    assert set(refs.values()) == {"refs/heads/main"}


def test_a_cluster_follows_the_branch_of_its_environment_with_flux() -> None:
    tree = fleet(promotion="branch")

    assert [sync(tree, cluster)["ref"] for cluster in ("hub", "far", "near")] == [
        "refs/heads/production",
        "refs/heads/production",
        "refs/heads/staging",
    ]


def test_a_cluster_follows_the_branch_of_its_environment_with_argocd() -> None:
    tree = fleet(engine="argocd", promotion="branch")
    layer = one(tree, "bootstrap/layers/infrastructure.yaml")["spec"]
    read = [generator["matrix"]["generators"][0]["git"] for generator in layer["generators"]]

    assert {git["revision"]: [file["path"] for file in git["files"]] for git in read} == {
        "production": ["clusters/hub/cluster.yaml", "clusters/far/cluster.yaml"],
        "staging": ["clusters/near/cluster.yaml"],
    }
    assert "targetRevision: {{ .revision }}" in layer["templatePatch"]
    assert one(tree, "clusters/near/cluster.yaml")["revision"] == "staging"
    assert one(tree, "bootstrap/root.yaml")["spec"]["source"]["targetRevision"] == "production"


def test_a_cluster_pulls_the_artifact_of_its_environment() -> None:
    tree = fleet(promotion="oci")

    assert sync(tree, "near") == {
        "kind": "OCIRepository",
        "url": "oci://ghcr.io/acme/platform",
        "ref": "staging",
        "path": "clusters/near",
        "pullSecret": "flux-system",
    }
    units = [
        unit["spec"]["sourceRef"]
        for path in tree.files
        if re.fullmatch(r"clusters/near/\w+\.yaml", path) and "cluster.yaml" not in path
        for unit in parsed(tree, path)
        if unit.get("kind") == "Kustomization" and "sourceRef" in unit.get("spec", {})
    ]
    own = [source for source in units if source["name"] == "flux-system"]
    assert {source["kind"] for source in own} == {"OCIRepository"}


def test_a_team_keeps_a_branch_of_its_own_whatever_the_platform_follows() -> None:
    tree = fleet(promotion="oci")
    source, unit, *_ = parsed(tree, "clusters/near/teams/payments/sources.yaml")

    assert source["spec"]["ref"] == {"branch": "main"}
    assert unit["spec"]["path"] == "./deploy/staging/payments"


# --- signatures


def patched(tree: Tree, cluster: str) -> tuple[str, Any]:
    """The source that a FluxInstance patches, and the verification that it adds."""
    instance = one(tree, f"clusters/{cluster}/flux-system/flux-instance.yaml")
    [patch] = instance["spec"]["kustomize"]["patches"]
    [operation] = yaml.safe_load(patch["patch"])
    assert (operation["op"], operation["path"]) == ("add", "/spec/verify")
    assert patch["target"]["name"] == "flux-system"
    return patch["target"]["kind"], operation["value"]


def test_argocd_tells_whose_signature_each_repository_needs(tmp_path: Path) -> None:
    answers = {"engine": "argocd", "signatures": "required", "signers": SIGNERS}
    answers |= {"clusters": FLEET, "teams": DELIVERING}
    copier_adapter.render(Template(ROOT, "v0"), answers, tmp_path / "rendered")
    tree = Tree.read(tmp_path / "rendered")
    signed = {
        name: one(tree, f"bootstrap/projects/{name}.yaml")["spec"].get("sourceIntegrity")
        for name in ("platform", "payments", "search")
    }

    assert signed == {
        "platform": needs("https://github.com/acme/platform.git", "2779BF91113D6CF3"),
        "payments": needs(DELIVERING[0]["repository"], "FABAF21DA8C86CCD", "23C2433069FABCEE"),
        "search": None,
    }
    configs = one(tree, "components/argo-cd/values.yaml")["configs"]
    assert configs["gpg"]["keys"] == {s["id"]: s["public_key"] for s in SIGNERS}
    report = checks.run(repository.load(tmp_path / "rendered"))
    assert report.at_least(Severity.LOW) == ()


def needs(url: str, *keys: str) -> Any:
    """What a project says of a repository whose newest commit must have a signature."""
    policy = {"repos": [{"url": url}], "gpg": {"mode": "head", "keys": list(keys)}}
    return {"git": {"policies": [policy]}}


@pytest.mark.parametrize("signer", SIGNERS, ids=["ed25519", "rsa with a subkey"])
def test_the_id_of_a_key_is_read_from_it(signer: dict[str, Any]) -> None:
    assert id_of(signer["public_key"]) == signer["id"]


@pytest.mark.parametrize("block", ["", "-----BEGIN", KEYS["platform"].replace("mDME", "AAAA")])
def test_of_what_is_no_key_there_is_no_id(block: str) -> None:
    assert id_of(block) == ""


def test_unsigned_commits_are_refused() -> None:
    kind, verify = patched(fleet(signatures="required"), "hub")

    assert kind == "GitRepository"
    assert verify == {"mode": "HEAD", "secretRef": {"name": "git-signers"}}
    text = fleet(signatures="required").files["docs/bootstrap.md"].decode()
    assert "create secret generic git-signers" in text


@pytest.mark.parametrize(
    ("forge", "repository", "issuer", "subject"),
    [
        (
            "github",
            "https://github.com/acme/platform.git",
            "https://token.actions.githubusercontent.com",
            "https://github.com/acme/platform/.github/workflows/publish.yaml@refs/heads/main",
        ),
        (
            "gitlab",
            "ssh://git@gitlab.acme.example/ops/platform.git",
            "https://gitlab.acme.example",
            "https://gitlab.acme.example/ops/platform//.gitlab-ci.yml@refs/heads/main",
        ),
    ],
)
def test_only_what_the_pipeline_signed_is_applied(
    forge: str, repository: str, issuer: str, subject: str
) -> None:
    tree = fleet(promotion="oci", signatures="required", forge=forge, repository=repository)
    kind, verify = patched(tree, "far")
    [identity] = verify["matchOIDCIdentity"]

    assert (kind, verify["provider"]) == ("OCIRepository", "cosign")
    assert re.fullmatch(identity["issuer"], issuer)
    assert re.fullmatch(identity["subject"], subject)
    assert not re.search(identity["subject"], subject.replace("platform", "platform-fork"))
    assert not re.search(identity["subject"], subject.replace("main", "mine"))
    assert not re.search(identity["subject"], subject.replace(".example", "xexample") + "x")


# --- hub and spokes


def test_the_hub_finds_its_spokes_in_the_secret_store() -> None:
    tree = fleet(engine="argocd")
    spokes = parsed(tree, "clusters/hub/components/spokes/clusters.yaml")

    made = {s["spec"]["target"]["template"]["data"]["name"]: s["spec"] for s in spokes}
    assert made.keys() == {"far", "near"}
    for name, spec in made.items():
        template = spec["target"]["template"]
        assert template["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
        assert spec["dataFrom"] == [{"extract": {"key": f"platform/clusters/{name}"}}]
        assert json.loads(template["data"]["config"]).keys() == {"bearerToken", "tlsClientConfig"}
    assert not any(path.startswith("clusters/far/components/spokes") for path in tree.files)
    assert not any("spokes" in path for path in fleet(engine="flux").files)


def test_a_hub_applies_as_itself_here_and_as_its_account_elsewhere() -> None:
    project = one(fleet(engine="argocd"), "bootstrap/projects/platform.yaml")["spec"]

    assert [a["defaultServiceAccount"] for a in project["destinationServiceAccounts"]] == [
        "argocd:argocd-application-controller",
        "kube-system:argocd-manager",
    ]
    values = one(fleet(engine="argocd"), "components/argo-cd/values.yaml")
    assert values["configs"]["cm"]["application.sync.impersonation.enabled"] is True


@pytest.mark.parametrize(("clusters", "shards"), [(1, 1), (12, 1), (13, 2), (25, 3)])
def test_controllers_are_as_many_as_the_clusters_need(
    clusters: int, shards: int, tmp_path: Path
) -> None:
    many = [
        CLUSTERS["kind"] | {"name": f"c{number}", "pod_cidr": f"10.{number}.0.0/16"}
        for number in range(clusters)
    ]
    answers = {"engine": "argocd", "tier": "enterprise", "practices": READY, "clusters": many}
    copier_adapter.render(Template(ROOT, "v0"), answers, tmp_path / "rendered")
    values = one(Tree.read(tmp_path / "rendered"), "components/argo-cd/values.yaml")

    assert values["controller"]["replicas"] == shards


def test_applications_alone_make_another_controller(tmp_path: Path) -> None:
    team = {"contact": "@acme/many", "repository": "https://github.com/acme/many.git"}
    teams = [
        {"name": f"t{t}", "namespaces": [f"t{t}-{n}" for n in range(20)], **team} for t in range(60)
    ]
    answers = {"engine": "argocd", "clusters": [CLUSTERS["kind"]], "teams": teams}
    plan = copier_adapter.resolve(Template(ROOT, "v0"), answers)["plan"]

    assert plan["engine"]["applications"] > 1200


@pytest.mark.parametrize(("tier", "namespaces", "shards"), [
    ("enterprise", 500, 0), ("enterprise", 501, 2), ("enterprise", 1001, 3), ("growing", 501, 0),
])  # fmt: skip
def test_what_teams_deliver_to_a_cluster_decides_the_shards_of_its_flux(
    tier: str, namespaces: int, shards: int
) -> None:
    many = {"name": "many", "namespaces": [f"n{number}" for number in range(namespaces)]}
    answers = {"tier": tier, "practices": READY, "clusters": FLEET}
    answers["teams"] = [DELIVERING[0] | many | {"clusters": ["hub"]}, TEAMS[1]]
    plan = copier_adapter.resolve(Template(ROOT, "v0"), answers)["plan"]

    found = {cluster["name"]: len(cluster["shards"]["names"]) for cluster in plan["clusters"]}
    assert found == {"hub": shards, "far": 0, "near": 0}


def sharded(folder: Path, deliveries: int) -> Tree:
    """An enterprise whose Flux has a shard for so many deliveries, and seven of them."""
    many = DELIVERING[0] | {"namespaces": [f"payments-{number}" for number in range(7)]}
    answers = {"tier": "enterprise", "practices": READY, "clusters": FLEET[:1], "teams": [many]}
    copier_adapter.render(
        sharding_template(folder / "template", deliveries), answers, folder / "rendered"
    )
    return Tree.read(folder / "rendered")


def shards(tree: Tree) -> dict[str, str]:
    """The shard of each namespace; source and Kustomization are of the same."""
    found: dict[str, set[str]] = {}
    for body in parsed(tree, "clusters/hub/teams/payments/sources.yaml"):
        labels, namespace = body["metadata"]["labels"], body["metadata"]["namespace"]
        found.setdefault(namespace, set()).add(labels["sharding.fluxcd.io/key"])
    assert {len(names) for names in found.values()} == {1}
    return {namespace: names.pop() for namespace, names in found.items()}


def test_a_shard_more_takes_over_and_moves_nothing_else(tmp_path: Path) -> None:
    two, three = (sharded(tmp_path / str(each), each) for each in (4, 3))

    before, after = shards(two), shards(three)
    moved = {after[namespace] for namespace in before if after[namespace] != before[namespace]}
    assert (set(before.values()), moved) == ({"shard1", "shard2"}, {"shard3"})
    instance = one(three, "clusters/hub/flux-system/flux-instance.yaml")
    assert instance["spec"]["sharding"] == {"shards": ["shard1", "shard2", "shard3"]}
    report = checks.run(repository.load(tmp_path / "3" / "rendered"))
    assert report.at_least(Severity.LOW) == ()
    results = {result.check_id: result for result in report.results}
    assert [results[check].evaluated for check in ("FLX018", "FLX019")] == [14, 3]


# --- pipelines


def test_each_forge_gets_its_own_pipeline_and_no_other() -> None:
    github, gitlab = fleet(), fleet(forge="gitlab")

    assert ".github/workflows/validate.yaml" in github.files
    assert ".gitlab-ci.yml" not in github.files
    assert ".gitlab-ci.yml" in gitlab.files
    assert not any(path.startswith(".github") for path in gitlab.files)


def steps(tree: Tree) -> list[Any]:
    paths = [path for path in tree.files if path.startswith(".github/workflows/")]
    workflows = [yaml.safe_load(tree.files[path]) for path in paths]
    return [s for w in workflows for job in w["jobs"].values() for s in job["steps"]]


def test_actions_are_pinned() -> None:
    used = [step["uses"] for step in steps(fleet(promotion="oci")) if "uses" in step]

    assert used
    for action in used:
        assert re.search(r"@([0-9a-f]{40}|v\d+\.\d+\.\d+)$", action), action


def test_workflows_ask_for_no_more_than_they_need() -> None:
    tree = fleet(promotion="oci")
    asked = {
        path.rpartition("/")[2]: yaml.safe_load(tree.files[path])["permissions"]
        for path in tree.files
        if path.startswith(".github/workflows/")
    }

    assert asked == {
        "validate.yaml": {"contents": "read"},
        "publish.yaml": {"contents": "read", "packages": "write", "id-token": "write"},
        "promote.yaml": {"packages": "write"},
        "update.yaml": {"contents": "write", "pull-requests": "write"},
    }


def test_no_script_of_a_workflow_has_an_expression_in_it() -> None:
    for step in steps(fleet(promotion="oci")):
        assert "${{" not in step.get("run", ""), step


def test_a_pipeline_promotes_to_environments_that_exist() -> None:
    promote = yaml.safe_load(fleet(promotion="oci").files[".github/workflows/promote.yaml"])
    pipeline = yaml.safe_load(fleet(promotion="oci", forge="gitlab").files[".gitlab-ci.yml"])

    inputs = promote[True]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == ["production", "staging"]
    manual = [job for job in pipeline.values() if isinstance(job, dict) and "environment" in job]
    assert [job["environment"] for job in manual] == ["production", "staging"]
    assert all(job["rules"][0]["when"] == "manual" for job in manual)


def test_security_agrees_to_policies() -> None:
    github = fleet().files["CODEOWNERS"].decode().splitlines()
    gitlab = fleet(forge="gitlab").files["CODEOWNERS"].decode()

    assert github[2:4] == ["* @acme/platform", "/components/policies/ security@acme.example"]
    assert "[Platform]\n* @acme/platform\n" in gitlab
    security = "/components/policies/ security@acme.example\n/tenants/ security@acme.example\n"
    assert gitlab.endswith(f"[Security]\n{security}")


OWN = [DELIVERING[0] | {"repository": "https://github.com/acme/platform.git"}, DELIVERING[1]]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("tenants/payments/payments-staging/alert-route.yaml", "@acme/payments"),
        ("tenants/payments/payments/network-policies.yaml", "@acme/platform"),
        ("tenants/payments/payments/kustomization.yaml", "@acme/platform"),
        ("tenants/payments/README.md", "@acme/platform"),
        ("tenants/search/search/alert-route.yaml", "search@acme.example"),
        ("deploy/staging/payments/web.yaml", "@acme/payments"),
        ("deploy/staging/search/web.yaml", "@acme/platform"),
        ("clusters/hub/teams/payments/sources.yaml", "@acme/platform"),
    ],
)
def test_a_team_is_alone_with_nothing_that_holds_it(path: str, owner: str) -> None:
    owners, _ = Codeowners.read(delivering()).rule(path)

    assert owners == (owner,)


@cache
def delivering(forge: str = "github") -> Tree:
    """A repository in which a team keeps what it delivers, too."""
    answers = {"tier": "growing", "practices": READY, "clusters": FLEET, "forge": forge}
    with TemporaryDirectory() as folder:
        destination = Path(folder, "rendered")
        copier_adapter.render(Template(ROOT, "v0"), answers | {"teams": OWN}, destination)
        return Tree.read(destination)


def test_gitlab_asks_the_team_too_and_never_the_team_alone() -> None:
    sections = delivering("gitlab").files["CODEOWNERS"].decode().split("\n\n")

    assert [section.splitlines()[-1] for section in sections[1:-1]] == [
        "/deploy/*/payments-staging/ @acme/payments",
        "/tenants/search/ search@acme.example",
    ]
    assert "[Team payments]\n/tenants/payments/ @acme/payments\n" in sections[1]
    assert sections[0].endswith("[Platform]\n* @acme/platform")
    assert sections[-1].endswith("/tenants/ security@acme.example\n")


# --- the rendered repository passes what it asks of others


@pytest.fixture(scope="module", params=list(product(ENGINES, ("github", "gitlab"))))
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of each engine on each forge, on disk."""
    engine, forge = request.param
    root = tmp_path_factory.mktemp("checkout")
    for path, content in fleet(engine=engine, forge=forge).files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def commands(root: Path) -> list[list[str]]:
    """The commands of groundplan that a repository's pipeline and hooks run."""
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    lines = [hook["entry"] for repo in hooks for hook in repo["hooks"] if "entry" in hook]
    github = root / ".github/workflows/validate.yaml"
    if github.exists():
        jobs = yaml.safe_load(github.read_text())["jobs"].values()
        lines += [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    else:
        lines += yaml.safe_load((root / ".gitlab-ci.yml").read_text())["check"]["script"]
    found = [re.search(r"\bgroundplan (check[^>]*)", line) for line in lines]
    return [match[1].split() for match in found if match]


def test_the_pipeline_and_the_hooks_of_a_repository_pass(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    run = commands(checkout)

    assert len(run) == 2
    for words in run:
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, (words, done.output)


@pytest.mark.parametrize(
    "hook",
    [
        "check_merge_conflict",
        "detect_private_key",
        "end_of_file_fixer",
        "trailing_whitespace_fixer",
    ],
)
def test_every_file_passes_the_published_hooks(
    checkout: Path, hook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"pre_commit_hooks.{hook}")
    ids = (checkout / ".pre-commit-config.yaml").read_text()
    files = [str(path) for path in checkout.rglob("*") if path.is_file()]
    options = ["--assume-in-merge"] if hook == "check_merge_conflict" else []

    assert (
        f"id: {hook.removesuffix('_fixer') if 'white' in hook else hook}".replace("_", "-") in ids
    )
    assert module.main([*options, *files]) == 0, capsys.readouterr().out


def test_who_is_called_finds_every_runbook_in_the_readme(checkout: Path) -> None:
    runbooks = [f"docs/runbooks/{path.name}" for path in (checkout / "docs/runbooks").iterdir()]
    first = (checkout / "README.md").read_text().partition("## ")[0]

    assert len(runbooks) > 1
    assert [path for path in runbooks if f"]({path})" not in first] == []


def test_renovate_reads_its_configuration(checkout: Path) -> None:
    settings = json.loads((checkout / "renovate.json").read_text())
    for manager in settings["customManagers"]:
        for pattern in manager["managerFilePatterns"]:
            compiled = re.compile(pattern.strip("/"))
            files = [p.relative_to(checkout).as_posix() for p in checkout.rglob("*") if p.is_file()]
            assert any(compiled.search(file) for file in files), pattern


@pytest.mark.parametrize(
    ("promotion", "words"),
    [
        ("trunk", "revert the commit.\n"),
        ("branch", "revert the commit on the branch of that cluster's environment"),
        ("oci", "promote the commit before to that cluster's environment"),
    ],
)
def test_the_runbook_says_how_this_platform_goes_back(promotion: str, words: str) -> None:
    text = fleet(promotion=promotion).files["docs/runbooks/component-not-ready.md"].decode()

    assert f"3. If a commit caused it, {words}" in text
