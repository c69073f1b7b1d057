"""Words by which objects tell scanners to pass over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.posture.pod_security_checks import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.graph import Key
    from groundplan.posture.model import State
    from groundplan.resources import Resource

_SCANNERS = (
    ("kubescape.io/skip-controls", "Kubescape"),
    ("ignore-check.kube-linter.io/", "kube-linter"),
    ("checkov.io/skip", "Checkov"),
    ("polaris.fairwinds.com/", "Polaris"),
    ("kube-score/ignore", "kube-score"),
)


def suppressed(state: State) -> dict[tuple[Key, str], Resource]:
    """Find what each object asks scanners not to look at."""
    return {(r.id.key, what): r for r in state.resources for what in _asked(r)}


def _asked(resource: Resource) -> Iterator[str]:
    """Name the scanner and what it is told, check by check where there is a list of checks."""
    for name, value in mapping(resource.body, "metadata", "annotations").items():
        for prefix, scanner in _SCANNERS:
            exempt = prefix != "polaris.fairwinds.com/" or name.endswith("exempt")
            if not name.startswith(prefix) or not exempt:
                continue
            rest = name.removeprefix(prefix).strip("/")
            if scanner in {"Kubescape", "kube-score"}:
                for check in str(value).split(","):
                    yield f"{scanner} for {check.strip()}"
            elif scanner == "Checkov":
                yield f"{scanner} for {str(value).split('=')[0].strip()}"
            else:
                yield f"{scanner} for {rest.removesuffix('exempt').rstrip('-') or 'everything'}"
