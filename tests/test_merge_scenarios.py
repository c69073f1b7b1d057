"""What updates do to edits, side by side: groundplan, plain copier, and `git merge-file`.

Each scenario is a base, what a person made of it and what the template made of it, and says how to
tell whether both edits are there. The table in docs/explanation/merge.md is made of the outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundplan import documents
from groundplan.merge import File, Renames, Rules, lines, merge
from groundplan.merge.keys import SchemaKeys
from tests.plain_copier import copier
from tests.releases import git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "merge.md"
Texts = dict[str, str]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    spec:
      containers:
        - name: web
          image: web:1.0
          args: [--port=80]
          resources:
            limits:
              memory: 128Mi
"""
POOL = """\
  - name: {}
    disruption: when-empty
    consolidate: 30s
    expire: 720h
    cpu: 100
    memory: 100
    pods: 110
    taints: []
"""
POOLS = "pools:\n" + POOL.format("cpu") + POOL.format("gpu")


@dataclass(frozen=True)
class Scenario:
    """One way in which edits meet."""

    name: str
    what: str
    base: Texts
    yours: Texts
    template: Texts
    whole: Callable[[Texts], bool]
    """Whether a result has both edits, each where it belongs."""
    renames: Mapping[str, str] = field(default_factory=dict)
    owned: str = ""


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def pools(result: Texts) -> bool:
    found = documents.load(result["pools.yaml"])["pools"]
    return {pool["name"]: pool["cpu"] for pool in found} == {
        "system": 100,
        "cpu": 2000,
        "gpu": 100,
    }


def container(result: Texts) -> dict[str, object]:
    body = documents.load(result["web.yaml"])
    return dict(body["spec"]["template"]["spec"]["containers"][0])


def hardened(result: Texts) -> bool:
    if documents.parse("", result["web.yaml"].encode())[1]:
        return False
    context = container(result).get("securityContext")
    return context == {"readOnlyRootFilesystem": True, "runAsNonRoot": True}


NEW = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\ndata:\n  size: '{}'\n"
SCENARIOS = (
    Scenario(
        "a",
        "the template inserts a list item before the one you edited",
        {"pools.yaml": POOLS},
        {"pools.yaml": changed(POOLS, "cpu: 100", "cpu: 2000")},
        {"pools.yaml": changed(POOLS, "pools:\n", "pools:\n" + POOL.format("system"))},
        pools,
    ),
    Scenario(
        "b",
        "you comment on a line whose value the template changes",
        {"web.yaml": DEPLOYMENT},
        {"web.yaml": changed(DEPLOYMENT, "replicas: 1", "replicas: 1 # quiet at night")},
        {"web.yaml": changed(DEPLOYMENT, "replicas: 1", "replicas: 2")},
        lambda result: "replicas: 2 # quiet at night" in result["web.yaml"],
    ),
    Scenario(
        "c",
        "the template moves a file that you edited",
        {"web.yaml": DEPLOYMENT},
        {"web.yaml": changed(DEPLOYMENT, "replicas: 1", "replicas: 7")},
        {"apps/web.yaml": changed(DEPLOYMENT, "web:1.0", "web:1.1")},
        lambda result: (
            "replicas: 7" in result.get("apps/web.yaml", "")
            and "web:1.1" in result["apps/web.yaml"]
        ),
    ),
    Scenario(
        "d",
        "the template removes a file that you edited",
        {"web.yaml": DEPLOYMENT},
        {"web.yaml": changed(DEPLOYMENT, "replicas: 1", "replicas: 7")},
        {},
        lambda _: False,
    ),
    Scenario(
        "e",
        "a smaller tier removes a folder in which you edited",
        {"logs/values.yaml": "retention: 7d\nreplicas: 1\n", "web.yaml": DEPLOYMENT},
        {"logs/values.yaml": "retention: 90d\nreplicas: 1\n", "web.yaml": DEPLOYMENT},
        {"web.yaml": DEPLOYMENT},
        lambda _: False,
    ),
    Scenario(
        "f",
        "both add the same file, differently",
        {},
        {"more.yaml": NEW.format(1)},
        {"more.yaml": NEW.format(2)},
        lambda _: False,
    ),
    Scenario(
        "g",
        "the template says what it renamed, beyond recognition",
        {"old.yaml": "first: 1\nsecond: 2\n"},
        {"old.yaml": "first: 10\nsecond: 2\n"},
        {"new.yaml": "first: 1\nthird: 3\nfourth: 4\nfifth: 5\n"},
        lambda result: "first: 10" in result.get("new.yaml", "") and "fifth" in result["new.yaml"],
        {"old.yaml": "new.yaml"},
    ),
    Scenario(
        "h",
        "both add a field of one name at different ends of a mapping",
        {"web.yaml": DEPLOYMENT},
        {
            "web.yaml": changed(
                DEPLOYMENT,
                "- name: web\n",
                "- name: web\n          securityContext:\n"
                "            readOnlyRootFilesystem: true\n",
            )
        },
        {
            "web.yaml": DEPLOYMENT
            + "          securityContext:\n            runAsNonRoot: true\n"
            + "            readOnlyRootFilesystem: false\n"
        },
        hardened,
    ),
    Scenario(
        "i",
        "both add an argument to one list",
        {"web.yaml": DEPLOYMENT},
        {"web.yaml": changed(DEPLOYMENT, "[--port=80]", "[--port=80, --trace]")},
        {"web.yaml": changed(DEPLOYMENT, "[--port=80]", "[--port=80, --metrics]")},
        lambda result: container(result).get("args") == ["--port=80", "--trace", "--metrics"],
    ),
    Scenario(
        "j",
        "you and the template move to different newer versions",
        {"web.yaml": DEPLOYMENT},
        {"web.yaml": changed(DEPLOYMENT, "web:1.0", "web:1.3")},
        {"web.yaml": changed(DEPLOYMENT, "web:1.0", "web:1.2")},
        lambda result: container(result).get("image") == "web:1.3",
    ),
    Scenario(
        "k",
        "the template changes a file that is yours alone",
        {"CODEOWNERS": "* @platform\n"},
        {"CODEOWNERS": "* @us\n"},
        {"CODEOWNERS": "* @platform\ndocs/ @writers\n"},
        lambda _: False,
        owned="CODEOWNERS",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What one tool made of a scenario."""

    result: Texts
    told: bool
    """Whether it said that something was left to decide."""

    def judged(self, scenario: Scenario) -> str:
        """In a word."""
        if readable(self.result) and whole(scenario, self.result):
            return "merged"
        if self.told:
            return "conflict"
        return "**lost**" if readable(self.result) else "markers, exit 0"


def whole(scenario: Scenario, result: Texts) -> bool:
    try:
        return scenario.whole(result)
    except (KeyError, documents.YamlError):
        return False


def readable(result: Texts) -> bool:
    return not any("<<<<<<<" in text for text in result.values())


def ours(scenario: Scenario) -> Outcome:
    sides = (
        {path: File(text.encode()) for path, text in side.items()}
        for side in (scenario.base, scenario.yours, scenario.template)
    )
    rules = Rules(
        SchemaKeys("1.37"), Renames(scenario.renames, {}), lambda path: path == scenario.owned
    )
    found = merge(*sides, rules)
    told = bool(found.conflicts) or "owned" in found.fates.values()
    return Outcome({path: file.content.decode() for path, file in found.files.items()}, told)


def merge_file(scenario: Scenario) -> Outcome:
    """File by file, as `git merge-file` knows nothing of other files."""
    result, told = {}, False
    for path in {*scenario.base, *scenario.yours, *scenario.template}:
        base, yours, template = (
            side.get(path) for side in (scenario.base, scenario.yours, scenario.template)
        )
        if yours is None or template is None:
            text = template if base == yours else yours if base == template else None
            told |= text is None
        else:
            found = lines.merge((base or "").encode(), yours.encode(), template.encode())
            told |= bool(found.regions)
            marks = "<<<<<<< yours\n" if found.regions else ""
            text = marks + (found.text or b"").decode()
        if text is not None:
            result[path] = text
    return Outcome(result, told)


def plain_copier(scenario: Scenario, folder: Path) -> Outcome:
    """`copier update`, which says that something is left by its exit code, or not at all."""
    template, project = folder / "template", folder / "project"
    settings = "_templates_suffix: .jinja\n"
    if scenario.owned:
        settings += f"_skip_if_exists: [{scenario.owned}]\n"
    for version, side in (("v1.0.0", scenario.base), ("v2.0.0", scenario.template)):
        if version == "v1.0.0":
            template.mkdir(parents=True)
            git(template, "init", "--quiet", "--initial-branch=main")
        else:
            git(template, "rm", "-r", "--quiet", ".")
        put(template, side)
        (template / "copier.yml").write_text(settings, "utf-8")
        answers = "#{ _copier_answers|to_nice_yaml }#".replace("#{", "{{").replace("}#", "}}")
        (template / "{{ _copier_conf.answers_file }}.jinja").write_text(f"{answers}\n", "utf-8")
        git(template, "add", "--all")
        git(template, "commit", "--quiet", "--allow-empty", "-m", version)
        git(template, "tag", version)
    copier("copy", template, project, "--vcs-ref", "v1.0.0")
    for path in scenario.base.keys() - scenario.yours.keys():
        (project / path).unlink()
    put(project, scenario.yours)
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "mine")
    told = bool(copier("update", project))
    return Outcome(
        {
            path.relative_to(project).as_posix(): path.read_text("utf-8")
            for path in project.rglob("*")
            if path.is_file() and ".git" not in path.parts and path.name != ".copier-answers.yml"
        },
        told,
    )


def put(folder: Path, texts: Texts) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


def row(scenario: Scenario, folder: Path) -> str:
    outcomes = (ours(scenario), plain_copier(scenario, folder), merge_file(scenario))
    words = (outcome.judged(scenario) for outcome in outcomes)
    return f"| {scenario.what} | {' | '.join(words)} |"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_page_says_what_happens(scenario: Scenario, tmp_path: Path) -> None:
    said = row(scenario, tmp_path)

    assert said in PAGE.read_text("utf-8").splitlines(), said


def test_nothing_is_lost() -> None:
    assert [s.name for s in SCENARIOS if ours(s).judged(s) == "**lost**"] == []
    assert [s.name for s in SCENARIOS if ours(s).judged(s) == "merged"] == list("abcghij")
