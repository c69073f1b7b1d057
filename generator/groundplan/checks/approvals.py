"""What somebody may approve alone, though it is applied with more rights than they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.owners import Codeowners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository
    from groundplan.resources import ResourceId

FOLDER = "tenants"
"""Where what holds each team lies, in a folder of the team's name."""
HARMLESS = frozenset({("monitoring.coreos.com", "AlertmanagerConfig")})
"""Kinds that reach no further than their namespace, whatever they say."""


def _alone(repository: Repository) -> Iterator[Outcome]:
    """Find objects in a team's folder that others than the owners of everything may change."""
    rules = Codeowners.read(repository.tree)
    everything = next((owners for pattern, owners, _ in rules.rules if pattern == "*"), ())
    # Where there are sections, an owner of each has to agree: nobody is alone.
    if not everything or b"\n[" in b"\n" + repository.tree.files[rules.path]:
        return
    bounds = {
        (r.origin.path.split("/")[1], r.id.name)
        for r in repository.resources
        if r.id.kind == "Namespace" and r.origin.path.startswith(f"{FOLDER}/")
    }
    for resource in repository.resources:
        path = resource.origin.path
        if not path.startswith(f"{FOLDER}/"):
            continue
        owners, line = rules.rule(path)
        if set(owners) <= set(everything):
            continue
        if _bounded(resource.id, path.split("/")[1], bounds):
            yield Passed()
        else:
            yield ALONE.fail(
                f"{' or '.join(owners)} may approve {resource.id} alone ({rules.path}:{line})",
                repository.locate(resource.origin, "/kind"),
                resource.id,
            )


def _bounded(identity: ResourceId, team: str, bounds: set[tuple[str, str]]) -> bool:
    """Whether an object can do nothing outside the namespaces of its folder's team."""
    harmless = (identity.group, identity.kind) in HARMLESS
    return harmless and (team, identity.namespace) in bounds


ALONE = Check(
    "APR001",
    "Nobody approves alone what holds them",
    Severity.HIGH,
    "Put the object into a file of the platform's, or give the file back in CODEOWNERS.",
    _alone,
)
CHECKS = (ALONE,)
