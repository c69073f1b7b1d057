"""What the Pod Security labels of a namespace admit, as sets that can be compared.

Every control is a handful of steps, so that "admits more" is a superset. Versions are no chain:
1.34 forbids what 1.33 admitted, and 1.35 admits what 1.34 forbade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundplan.posture.pod_security_checks import NEWEST, SYSCTLS, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "pod-security.kubernetes.io/"
SUPPORTED = range(NEWEST - 2, NEWEST + 1)
"""The Kubernetes 1.x that `latest` may stand for."""
UNPINNED = "whatever a later Kubernetes admits"

_ALWAYS = {
    Level.BASELINE: (
        "host namespaces",
        "host ports",
        "privileged containers",
        "unknown SELinux options",
        "unconfined AppArmor profiles",
        "Windows host processes",
        "any kernel setting",
        "capabilities beyond the default",
        "hostPath volumes",
    ),
    Level.RESTRICTED: ("volume types beyond the safe ones",),
}
"""What a level forbids at every version."""

_STEPS: tuple[tuple[Level, int, str], ...] = (
    (Level.BASELINE, 34, "probes and hooks that call another host"),
    (Level.RESTRICTED, 8, "privilege escalation"),
    (Level.RESTRICTED, 19, "no seccomp profile"),
    (Level.RESTRICTED, 22, "the default capabilities"),
)
"""What a level forbids from a version on."""

_RELAXED: tuple[tuple[Level, int, int | None, str], ...] = (
    (Level.BASELINE, 0, 31, "the SELinux type container_engine_t"),
    (Level.BASELINE, 0, 35, "procMount in a user namespace"),
    (Level.RESTRICTED, 35, None, "procMount in a user namespace"),
    (Level.BASELINE, 0, None, "procMount without a user namespace"),
    (Level.BASELINE, 19, None, "unconfined seccomp fields"),
    (Level.RESTRICTED, 0, 35, "root in a user namespace"),
    (Level.RESTRICTED, 0, None, "root without a user namespace"),
    (Level.RESTRICTED, 23, 35, "user 0 in a user namespace"),
    (Level.RESTRICTED, 23, None, "user 0 without a user namespace"),
    (Level.RESTRICTED, 8, 25, "privilege escalation on Windows"),
    (Level.RESTRICTED, 19, 25, "no seccomp profile on Windows"),
    (Level.RESTRICTED, 22, 25, "the default capabilities on Windows"),
)
"""What a level forbids from one version on and, for some, until another."""

_SECCOMP_ANNOTATIONS = "unconfined seccomp annotations"
_EXTRA_SYSCTLS = {name: since for since, names in SYSCTLS if since for name in names}
EVERYTHING = frozenset(
    {
        UNPINNED,
        _SECCOMP_ANNOTATIONS,
        *(control for controls in _ALWAYS.values() for control in controls),
        *(control for _, _, control in _STEPS),
        *(control for *_, control in _RELAXED),
        *(f"the kernel setting {name}" for name in _EXTRA_SYSCTLS),
    }
)
"""What the level `privileged` admits."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What a namespace says for one mode."""

    level: str
    version: str

    def __str__(self) -> str:
        return f"{self.level} at {self.version}"

    @property
    def known(self) -> bool:
        """Whether Kubernetes accepts the two."""
        level = self.level in {str(level) for level in Level}
        return level and (self.version == "latest" or _minor(self.version) is not None)

    def at_most(self) -> frozenset[str]:
        """Everything that the labels may admit."""
        if self.version == "latest" and self.level != "privileged":
            return frozenset({UNPINNED}).union(*(self._admits(minor) for minor in SUPPORTED))
        return self._admits(_minor(self.version) or NEWEST)

    def at_least(self) -> frozenset[str]:
        """Only what the labels admit for sure."""
        if self.version == "latest" and self.level != "privileged":
            return EVERYTHING.intersection(*(self._admits(minor) for minor in SUPPORTED))
        return self._admits(_minor(self.version) or NEWEST)

    def _admits(self, minor: int) -> frozenset[str]:
        return admitted(Level[self.level.upper()], minor)


def labels(namespace: Mapping[str, str], mode: str = "enforce") -> Labels:
    """Read the labels of a namespace; without them Kubernetes admits everything."""
    level = namespace.get(f"{PREFIX}{mode}", "privileged")
    return Labels(str(level), str(namespace.get(f"{PREFIX}{mode}-version", "latest")))


def admitted(level: Level, minor: int) -> frozenset[str]:
    """What a level admits at Kubernetes 1.`minor`."""
    if level is Level.PRIVILEGED:
        return EVERYTHING
    always = {c for at, controls in _ALWAYS.items() if at <= level for c in controls}
    steps = {control for at, since, control in _STEPS if at <= level and since <= minor}
    relaxed = {
        control
        for at, since, until, control in _RELAXED
        if at <= level and since <= minor and (until is None or minor < until)
    }
    sysctls = {f"the kernel setting {n}" for n, since in _EXTRA_SYSCTLS.items() if minor < since}
    annotations = {_SECCOMP_ANNOTATIONS} if minor < 19 else frozenset[str]()
    return EVERYTHING - always - steps - relaxed - sysctls - annotations - {UNPINNED}


def _minor(version: str) -> int | None:
    """Read `v1.36`; a version that is newer than all known means the newest one."""
    found = re.fullmatch(r"v1\.(\d+)", version)
    return min(int(found[1]), NEWEST) if found else None
