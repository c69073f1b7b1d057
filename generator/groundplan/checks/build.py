"""What keeps a unit from being built whole: kustomize, paths, variables, generators."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.gitops.model import Problem, Unit
    from groundplan.repository import Repository

MISSING_PATH = "missing-path"
PLUGIN = "plugin"
SYNTAX = "syntax"
UNIT_PATH = "GIT004"
"""A missing path that the unit names itself, rather than a kustomization that it reaches."""
ANY_OTHER = "KUS007"
REFUSED = frozenset({"remote-base", "outside-tree", PLUGIN})
"""Problems that are findings although what is behind them cannot be evaluated."""
UNSUPPORTED = "KUS008"


@dataclass(frozen=True, slots=True)
class Rule:
    """A check on one kind of build problem."""

    id: str
    title: str
    severity: Severity
    remediation: str
    kinds: tuple[str, ...] = ()
    """What the builder calls it."""

    def check(self) -> Check:
        """Make the check."""

        def run(repository: Repository) -> Iterator[Outcome]:
            passed = 0
            for cluster in repository.clusters:
                for unit in cluster.units:
                    found = [p for p in unit.problems if _rule_of(repository, unit, p) == self.id]
                    for problem in found:
                        place = repository.locate(problem.origin, problem.pointer)
                        yield check.fail(problem.message, place, unit.id)
                    passed += not found
            yield Passed(passed)

        check = Check(self.id, self.title, self.severity, self.remediation, run)
        return check


RULES = (
    Rule(
        "KUS001",
        "Every file that a kustomization names exists",
        Severity.HIGH,
        "Create the file or folder, or take it out of the kustomization.",
        (MISSING_PATH,),
    ),
    Rule(
        "KUS002",
        "No kustomization uses a remote base",
        Severity.MEDIUM,
        "Copy the base into the repository: what it holds can change without a commit here.",
        ("remote-base",),
    ),
    Rule(
        "KUS003",
        "No kustomization runs a program",
        Severity.HIGH,
        "Write the program's output into the repository: engines do not run plugins.",
        (PLUGIN,),
    ),
    Rule(
        "KUS004",
        "No kustomization reaches outside the repository",
        Severity.HIGH,
        "Move the file into the repository.",
        ("outside-tree",),
    ),
    Rule(
        "KUS005",
        "No kustomization includes itself",
        Severity.HIGH,
        "Remove one of the inclusions of the cycle.",
        ("cycle",),
    ),
    Rule(
        "KUS006",
        "No build has an object twice",
        Severity.HIGH,
        "Remove one of the two, or make it a patch of the other.",
        ("duplicate-object",),
    ),
    Rule(
        ANY_OTHER,
        "Everything that is applied can be built",
        Severity.HIGH,
        "Correct what is named; `kustomize build` on the folder may say more.",
    ),
    Rule(
        UNIT_PATH,
        "Every path that is applied exists",
        Severity.HIGH,
        "Correct the path; it begins at the root of the repository.",
    ),
    Rule(
        "GIT009",
        "Every variable has a value",
        Severity.MEDIUM,
        "Set it in `postBuild.substitute`, or give a default as in `${name:=value}`.",
        ("missing-variable", "substitution"),
    ),
    Rule(
        "GIT013",
        "Every ApplicationSet can be filled in",
        Severity.HIGH,
        "Correct the generator or the template: Argo CD makes no Application of it.",
        ("generator", "template"),
    ),
    Rule(
        "GIT014",
        "Every Application is made once",
        Severity.HIGH,
        "Give the Applications different names.",
        ("duplicate",),
    ),
    Rule(
        "CHT005",
        "Every file of chart values can be read",
        Severity.HIGH,
        "Write a mapping of values into the file.",
        ("values",),
    ),
)
KINDS = {kind: rule.id for rule in RULES for kind in rule.kinds}


def _rule_of(repository: Repository, unit: Unit, problem: Problem) -> str:
    """The id of the check that reports a problem."""
    own = problem.origin == unit.origin and problem.pointer.startswith("/spec")
    if problem.kind == MISSING_PATH and own:
        return UNIT_PATH
    if problem.kind == PLUGIN and own:
        # Argo CD's own plugins are configured in the cluster; nothing is wrong with using them.
        return UNSUPPORTED
    told = problem.kind == SYNTAX and problem.origin.path in repository.unparsed
    if told or (problem.kind == PLUGIN and _is_builtin(repository, problem)):
        return UNSUPPORTED
    if not problem.evaluated and problem.kind not in REFUSED:
        return UNSUPPORTED
    return KINDS.get(problem.kind, ANY_OTHER)


def _is_builtin(repository: Repository, problem: Problem) -> bool:
    """Whether all plugins that a kustomization names here are parts of kustomize itself."""
    folder = posixpath.dirname(problem.origin.path)
    field = problem.pointer.removeprefix("/")
    bodies = [document.body for document in repository.documents.get(problem.origin.path, ())]
    names = [name for body in bodies if isinstance(body, Mapping) for name in body.get(field) or ()]
    paths = [posixpath.normpath(posixpath.join(folder, str(name))) for name in names]
    plugins = [document.body for path in paths for document in repository.documents.get(path, ())]
    return len(plugins) >= len(names) and all(
        isinstance(plugin, Mapping) and plugin.get("apiVersion") == "builtin" for plugin in plugins
    )


def _not_built(repository: Repository) -> Iterator[Outcome]:
    """Count the units that could not be built whole, through no fault of their kustomizations."""
    for cluster in repository.clusters:
        for unit in cluster.units:
            reasons = [
                f"{repository.locate(problem.origin, problem.pointer)}: {problem.message}"
                for problem in unit.problems
                if _rule_of(repository, unit, problem) == UNSUPPORTED or not problem.evaluated
            ]
            if reasons:
                yield Skipped(f"{unit.id} on {cluster.name}", "; ".join(reasons))
            else:
                yield Passed()


CHECKS = (
    *(rule.check() for rule in RULES),
    Check(
        UNSUPPORTED,
        "Every unit could be built whole",
        Severity.INFO,
        "Nothing to mend: what the unit applies has not been looked at.",
        _not_built,
    ),
)
