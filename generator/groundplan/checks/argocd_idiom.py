"""What Argo CD's practitioners advise about layout and syncing, as far as files can tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks._objects import Fault, Rule, of_group
from groundplan.findings import Severity
from groundplan.gitops.scene import entries, maps, section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GROUP = "argoproj.io"
APPLICATIONS = ("Application", "ApplicationSet")
DEFAULT = "default"


def _applications(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What an Application, or the ones that a set makes, asks for, and where that is said."""
    if body.get("kind") == "ApplicationSet":
        return "/spec/template/spec", section(body, "spec", "template", "spec")
    return "/spec", section(body, "spec")


def _sources(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    place, spec = _applications(body)
    if single := section(spec, "source"):
        yield f"{place}/source", single
    for index, source in enumerate(maps(spec, "sources")):
        yield f"{place}/sources/{index}", source


def _missing_key(body: Mapping[str, Any]) -> Iterator[Fault]:
    spec = section(body, "spec")
    options = entries(spec, "goTemplateOptions")
    if spec.get("goTemplate") is True and "missingkey=error" not in options:
        yield "/spec/goTemplate", "writes <no value> where a key is missing"


def _takes_along(body: Mapping[str, Any]) -> Iterator[Fault]:
    kept = section(body, "spec", "syncPolicy").get("preserveResourcesOnDeletion") is True
    options = str(section(body, "metadata", "annotations").get("argocd.argoproj.io/sync-options"))
    if not kept and not re.search(r"Prune=(confirm|false)", options):
        yield "/spec", "takes its Applications and all that they installed along when it goes"


def _automated(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The sync policy of Applications that are synced by themselves."""
    place, spec = _applications(body)
    policy = section(spec, "syncPolicy")
    return (f"{place}/syncPolicy", policy) if "automated" in policy else None


def _heals(body: Mapping[str, Any]) -> Iterator[Fault]:
    if found := _automated(body):
        place, policy = found
        for field in ("prune", "selfHeal"):
            if section(policy, "automated").get(field) is not True:
                yield f"{place}/automated", f"is synced by itself without {field}"


def _retries(body: Mapping[str, Any]) -> Iterator[Fault]:
    if (found := _automated(body)) and not section(found[1], "retry"):
        yield found[0], "is synced by itself and gives up after five attempts"


def _server_side(body: Mapping[str, Any]) -> Iterator[Fault]:
    found = _automated(body)
    if found and "ServerSideApply=true" not in entries(found[1], "syncOptions"):
        yield found[0], "is applied on the client's side"


def _revision(body: Mapping[str, Any]) -> Iterator[Fault]:
    for place, source in _sources(body):
        if not source.get("chart") and source.get("targetRevision", "HEAD") in {"", "HEAD"}:
            yield place, "follows whatever branch the Git host calls its default"


def _any_source(body: Mapping[str, Any]) -> Iterator[Fault]:
    for index, address in enumerate(entries(body, "spec", "sourceRepos")):
        if address == "*" and body["metadata"].get("name") != DEFAULT:
            yield f"/spec/sourceRepos/{index}", "takes sources from everywhere"


def _default_project(body: Mapping[str, Any]) -> Iterator[Fault]:
    if body["metadata"].get("name") == DEFAULT:
        for field in ("sourceRepos", "destinations", "clusterResourceWhitelist"):
            if entries(body, "spec", field):
                yield f"/spec/{field}", "is what an Application without a project falls into"


RULES = (
    Rule(
        "ARG001",
        "A template says when a key is missing",
        Severity.LOW,
        "Set `goTemplateOptions: [missingkey=error]`.",
        of_group(GROUP, "ApplicationSet"),
        _missing_key,
    ),
    Rule(
        "ARG002",
        "An ApplicationSet that goes leaves behind what it installed",
        Severity.MEDIUM,
        "Set `preserveResourcesOnDeletion: true`, or annotate it with `Prune=confirm`.",
        of_group(GROUP, "ApplicationSet"),
        _takes_along,
    ),
    Rule(
        "ARG003",
        "What is synced by itself is also pruned and healed",
        Severity.LOW,
        "Set `automated.prune: true` and `automated.selfHeal: true`.",
        of_group(GROUP, *APPLICATIONS),
        _heals,
    ),
    Rule(
        "ARG004",
        "What is synced by itself says how it retries",
        Severity.INFO,
        "Set `syncPolicy.retry` with a limit; -1 is without end.",
        of_group(GROUP, *APPLICATIONS),
        _retries,
    ),
    Rule(
        "ARG005",
        "Objects are applied on the server's side",
        Severity.INFO,
        "Add `ServerSideApply=true` to `syncOptions`.",
        of_group(GROUP, *APPLICATIONS),
        _server_side,
    ),
    Rule(
        "ARG006",
        "Sources name the branch that they follow",
        Severity.LOW,
        "Write the branch or tag in `targetRevision`, as in main.",
        of_group(GROUP, *APPLICATIONS),
        _revision,
    ),
    Rule(
        "ARG007",
        "A project names where its sources are",
        Severity.MEDIUM,
        "List the repositories in `sourceRepos`, as in https://git.example.com/shop/*.",
        of_group(GROUP, "AppProject"),
        _any_source,
    ),
    Rule(
        "ARG008",
        "The project that Argo CD makes by itself allows nothing",
        Severity.MEDIUM,
        "Empty it, and give each team a project of its own.",
        of_group(GROUP, "AppProject"),
        _default_project,
    ),
)
CHECKS = tuple(rule.check() for rule in RULES)
