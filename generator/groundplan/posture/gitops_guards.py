"""The GitOps dimension: what keeps the engine, its tenants and its reviewers within bounds."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from groundplan.posture.facts import Facts
from groundplan.posture.model import Change, Dimension, State, Verdict
from groundplan.posture.owners import Codeowners
from groundplan.posture.pod_security_checks import items, mapping
from groundplan.resources import Origin, ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from groundplan.graph import Key
    from groundplan.resources import Resource
    from groundplan.tree import Tree

GUARDED = ("posture", "clusters", "bootstrap", "policies", "components/policies", "tenants")
"""Folders whose reviewers keep the platform safe."""
_SENSITIVE = ("Role", "NetworkPolicy", "Webhook", "Namespace", "AdmissionPolicy")


def compare(base: State, head: State) -> tuple[Change, ...]:
    """Find what the GitOps engine may do on one side only."""
    before, after = _read(base), _read(head)
    return tuple(_changes(before, after))


def compare_files(base: Tree, head: Tree) -> tuple[Change, ...]:
    """Find guarded folders whose reviewers are no longer asked."""
    before, after = Codeowners.read(base), Codeowners.read(head)
    present = {folder for path in (*base.files, *head.files) for folder in _above(path)}
    found: list[Change] = []
    for folder in GUARDED:
        old, old_line = before.rule(f"{folder}/")
        new, line = after.rule(f"{folder}/")
        gone = sorted({*old} - {*new}) if folder in present else []
        place = (after, line) if line else (before, old_line)
        found.extend(_review(folder, owner, *place) for owner in gone)
    return tuple(found)


def _above(path: str) -> Iterator[str]:
    """Every folder that a file lies in."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _review(folder: str, owner: str, rules: Codeowners, line: int) -> Change:
    return Change(
        dimension=Dimension.GITOPS,
        verdict=Verdict.WIDENED,
        atom=f"changes below {folder}/ no longer need {owner}",
        subject=ResourceId("", "", "Folder", "", folder),
        origin=Origin(rules.path),
        pointer="",
        detail=f"{rules.path}:{line}",
    )


def _read(state: State) -> dict[Key, tuple[Resource, Facts]]:
    """The facts of every object that steers the engine."""
    found = {}
    for resource in state.resources:
        read = _READERS.get((resource.id.group, resource.id.kind))
        if read is not None:
            found[resource.id.key] = (resource, read(resource))
    return found


def _changes(
    before: Mapping[Key, tuple[Resource, Facts]],
    after: Mapping[Key, tuple[Resource, Facts]],
) -> Iterator[Change]:
    for key, (resource, new) in sorted(after.items()):
        old = before[key][1] if key in before else None
        for atom, pointer in new.gained(old):
            if old is None or not _covered(atom, old):
                yield _change(Verdict.WIDENED, atom, resource, pointer, "" if old else "new")
        if old is not None:
            for atom, pointer in new.lost(old):
                yield _change(Verdict.NARROWED, atom, resource, pointer)
            for atom, pointer in new.unclear(old):
                yield _change(Verdict.INCOMPARABLE, atom, resource, pointer)


def _covered(atom: str, old: Facts) -> bool:
    """Whether a pattern of BASE already allowed it; `*` in the new one is a letter like any."""
    patterns = (known for known in old.reach if "[" not in known)
    return "[" not in atom and any(fnmatchcase(atom, known) for known in patterns)


def _project(project: Resource) -> Facts:
    """An Argo CD project: where from, where to, which kinds."""
    spec = mapping(project.body, "spec")
    facts = Facts()
    for index, repo in enumerate(items(spec, "sourceRepos")):
        _list(facts, str(repo), "takes sources from", f"/spec/sourceRepos/{index}")
    for index, namespace in enumerate(items(spec, "sourceNamespaces")):
        text = "takes Applications from namespace"
        _list(facts, str(namespace), text, f"/spec/sourceNamespaces/{index}")
    for index, place in enumerate(items(spec, "destinations")):
        where = mapping(place)
        server = where.get("server") or where.get("name") or "*"
        text = f"{where.get('namespace', '*')} on {server}"
        _list(facts, text, "deploys to", f"/spec/destinations/{index}")
    _kinds(facts, spec)
    for index, account in enumerate(items(spec, "destinationServiceAccounts")):
        text = f"applies as {json.dumps(account, sort_keys=True)}"
        facts.reach[text] = f"/spec/destinationServiceAccounts/{index}"
    for role in items(spec, "roles"):
        for policy in items(mapping(role), "policies"):
            facts.reach[f"role {mapping(role).get('name')}: {policy}"] = "/spec/roles"
    if spec.get("permitOnlyProjectScopedClusters") is True:
        pointer = "/spec/permitOnlyProjectScopedClusters"
        facts.guards["only clusters of the project"] = pointer
    opaque = {
        f"/spec/{field}": json.dumps(spec[field], sort_keys=True)
        for field in ("sourceIntegrity", "signatureKeys", "syncWindows")
        if spec.get(field) is not None
    }
    return Facts(facts.weak, facts.reach, facts.guards, opaque)


def _kinds(facts: Facts, spec: Mapping[str, Any]) -> None:
    """Read which kinds a project may apply."""
    for field, what in (("clusterResource", "cluster-wide"), ("namespaceResource", "namespaced")):
        for index, kind in enumerate(items(spec, f"{field}Whitelist")):
            facts.reach[f"may apply {what} {_kind(kind)}"] = f"/spec/{field}Whitelist/{index}"
        for index, kind in enumerate(items(spec, f"{field}Blacklist")):
            facts.guards[f"refuses {what} {_kind(kind)}"] = f"/spec/{field}Blacklist/{index}"
    if not items(spec, "namespaceResourceWhitelist"):
        facts.reach["may apply namespaced */*"] = "/spec/namespaceResourceWhitelist"


def _list(facts: Facts, value: str, words: str, pointer: str) -> None:
    """Read one entry of an allow-list; with `!` it is a refusal."""
    if value.startswith("!"):
        facts.guards[f"not {words} {value[1:]}"] = pointer
    elif value == "*" or value.startswith("* on "):
        facts.weak[f"{words} {value}"] = pointer
        facts.reach[f"{words} {value}"] = pointer
    else:
        facts.reach[f"{words} {value}"] = pointer


def _kind(entry: Any) -> str:
    return f"{mapping(entry).get('group', '')}/{mapping(entry).get('kind', '*')}"


def _application(application: Resource) -> Facts:
    return _application_spec(mapping(application.body, "spec"), "/spec")


def _application_set(application_set: Resource) -> Facts:
    spec = mapping(application_set.body, "spec")
    facts = _application_spec(mapping(spec, "template", "spec"), "/spec/template/spec")
    opaque = {}
    for field in ("generators", "templatePatch"):
        if spec.get(field) is not None:
            opaque[f"/spec/{field}"] = json.dumps(spec[field], sort_keys=True)
    return Facts(facts.weak, facts.reach, facts.guards, opaque)


def _application_spec(spec: Mapping[str, Any], at: str) -> Facts:
    """An Argo CD Application: its project, its sources, what it tolerates."""
    facts = Facts()
    project = str(spec.get("project", "default"))
    facts.reach[f"belongs to project {project}"] = f"{at}/project"
    if project == "default":
        facts.weak["belongs to project default, which allows everything"] = f"{at}/project"
    for source in (mapping(spec, "source"), *map(mapping, items(spec, "sources"))):
        if source.get("repoURL"):
            facts.reach[f"takes sources from {source['repoURL']}"] = f"{at}/source"
    policy = mapping(spec, "syncPolicy")
    for option in items(policy, "syncOptions"):
        if option == "Validate=false":
            facts.weak["objects are not validated"] = f"{at}/syncPolicy/syncOptions"
    if mapping(policy, "automated").get("selfHeal"):
        facts.guards["changes by hand are undone"] = f"{at}/syncPolicy/automated"
    if mapping(policy, "automated").get("prune"):
        facts.guards["what git no longer has is removed"] = f"{at}/syncPolicy/automated"
    for index, ignored in enumerate(items(spec, "ignoreDifferences")):
        paths = {k: v for k, v in mapping(ignored).items() if k not in {"group", "kind"}}
        kind = str(mapping(ignored).get("kind", "*"))
        hidden = "; hides access" if any(word in kind for word in (*_SENSITIVE, "*")) else ""
        text = f"ignores drift of {kind} in {json.dumps(paths, sort_keys=True)}{hidden}"
        facts.weak[text] = f"{at}/ignoreDifferences/{index}"
    return facts


def _kustomization(kustomization: Resource) -> Facts:
    """A Flux Kustomization or HelmRelease: as whom it applies, and what it reads."""
    spec, facts = mapping(kustomization.body, "spec"), Facts()
    account = spec.get("serviceAccountName")
    if account:
        facts.guards[f"applies as the service account {account}"] = "/spec/serviceAccountName"
    source = mapping(spec, "sourceRef") or mapping(spec, "chartRef")
    namespace = source.get("namespace", kustomization.id.namespace)
    if namespace != kustomization.id.namespace:
        facts.weak[f"reads a source of namespace {namespace}"] = "/spec/sourceRef/namespace"
    if source.get("name"):
        facts.reach[f"reads {source.get('kind', '')} {source['name']}"] = "/spec/sourceRef"
    if spec.get("prune"):
        facts.guards["what git no longer has is removed"] = "/spec/prune"
    if spec.get("decryption"):
        facts.guards["its secrets are encrypted"] = "/spec/decryption"
    for field, text in (
        ("suspend", "nobody reconciles it"),
        ("force", "objects are replaced when they cannot be changed"),
        ("kubeConfig", "applies to another cluster"),
    ):
        if spec.get(field):
            facts.weak[text] = f"/spec/{field}"
    for entry in items(mapping(spec, "postBuild"), "substituteFrom"):
        if mapping(entry).get("kind") == "Secret":
            text = f"takes variables from the Secret {mapping(entry).get('name')}"
            facts.reach[text] = "/spec/postBuild/substituteFrom"
    return facts


def _source(source: Resource) -> Facts:
    """A Flux source: where it is, and whether its signature is checked."""
    spec, facts = mapping(source.body, "spec"), Facts()
    facts.reach[f"takes sources from {spec.get('url', '')}"] = "/spec/url"
    verify = mapping(spec, "verify")
    if verify:
        facts.guards["its signature is verified"] = "/spec/verify"
    if spec.get("insecure"):
        facts.weak["is read without TLS"] = "/spec/insecure"
    if spec.get("suspend"):
        facts.weak["nobody reads it"] = "/spec/suspend"
    opaque = {"/spec/verify": json.dumps(verify, sort_keys=True)} if verify else {}
    return Facts(facts.weak, facts.reach, facts.guards, opaque)


def _instance(instance: Resource) -> Facts:
    """The Flux that the operator installs: whether tenants are kept apart."""
    spec, facts = mapping(instance.body, "spec"), Facts()
    cluster = mapping(spec, "cluster")
    if cluster.get("multitenant"):
        facts.guards["tenants cannot refer to each other"] = "/spec/cluster/multitenant"
        account = cluster.get("tenantDefaultServiceAccount", "default")
        pointer = "/spec/cluster/tenantDefaultServiceAccount"
        facts.guards[f"tenants apply as the service account {account}"] = pointer
    facts.reach[f"syncs {mapping(spec, 'sync').get('url', '')}"] = "/spec/sync/url"
    patches = spec.get("kustomize")
    opaque = {"/spec/kustomize": json.dumps(patches, sort_keys=True)} if patches else {}
    return Facts(facts.weak, facts.reach, facts.guards, opaque)


_LOCKDOWN = ("--no-cross-namespace-refs", "--no-remote-bases", "--default-service-account")


def _controller(deployment: Resource) -> Facts:
    """The flags of a Flux controller that keep tenants apart."""
    facts = Facts()
    spec = mapping(deployment.body, "spec", "template", "spec")
    for index, container in enumerate(items(spec, "containers")):
        for flag in items(mapping(container), "args"):
            if str(flag).startswith(_LOCKDOWN) and not str(flag).endswith("=false"):
                pointer = f"/spec/template/spec/containers/{index}/args"
                facts.guards[f"runs with {flag}"] = pointer
    return facts


_FLUX = "toolkit.fluxcd.io"
_READERS: Mapping[tuple[str, str], Callable[[Resource], Facts]] = {
    ("argoproj.io", "AppProject"): _project,
    ("argoproj.io", "Application"): _application,
    ("argoproj.io", "ApplicationSet"): _application_set,
    (f"kustomize.{_FLUX}", "Kustomization"): _kustomization,
    (f"helm.{_FLUX}", "HelmRelease"): _kustomization,
    (f"source.{_FLUX}", "GitRepository"): _source,
    (f"source.{_FLUX}", "OCIRepository"): _source,
    (f"source.{_FLUX}", "HelmRepository"): _source,
    (f"source.{_FLUX}", "Bucket"): _source,
    ("fluxcd.controlplane.io", "FluxInstance"): _instance,
    ("apps", "Deployment"): _controller,
}


def _change(
    verdict: Verdict, atom: str, resource: Resource, pointer: str, detail: str = ""
) -> Change:
    return Change(
        dimension=Dimension.GITOPS,
        verdict=verdict,
        atom=atom,
        subject=resource.id,
        origin=resource.origin,
        pointer=pointer,
        detail=detail,
    )
