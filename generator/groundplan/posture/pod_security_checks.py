"""The Pod Security Standards as Kubernetes 1.37 checks them.

One table of checks: the level that begins to ask, the versions since which each wording holds, and
which check of the level below it replaces. Source: `k8s.io/pod-security-admission` v0.37.2,
`policy/check_*.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Atom = tuple[str, str]
"""What a pod has that a check forbids, and the JSON pointer of it inside the pod."""
Rule = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Atom]]
"""Takes a pod's metadata and spec; says nothing when the pod is admitted."""


class Level(IntEnum):
    """A Pod Security Standard: a lower one admits more."""

    PRIVILEGED = 0
    BASELINE = 1
    RESTRICTED = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class PodCheck:
    """One control of the standards."""

    id: str
    level: Level
    versions: tuple[tuple[int, Rule], ...]
    """Kubernetes 1.x since which a rule holds, oldest first."""
    replaces: str = ""
    """The check of the level below that this one makes needless."""

    def rule(self, minor: int) -> Rule | None:
        """What the check asks at Kubernetes 1.`minor`; None when it did not exist then."""
        fitting = [rule for since, rule in self.versions if since <= minor]
        return fitting[-1] if fitting else None


def containers(spec: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Walk every container of a pod, with its pointer."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(items(spec, field)):
            if isinstance(container, Mapping):
                yield container, f"/spec/{field}/{index}"


def mapping(body: Any, *path: str) -> Mapping[str, Any]:
    """Read a mapping inside a mapping; anything else there counts as empty."""
    for step in path:
        body = body.get(step) if isinstance(body, (dict, Mapping)) else None
    return body if isinstance(body, (dict, Mapping)) else {}


def items(body: Mapping[str, Any], field: str) -> list[Any]:
    """Read a list inside a mapping; anything else there counts as empty."""
    value = body.get(field)
    return value if isinstance(value, list) else []


def _contexts(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Walk the security contexts of the pod and of its containers."""
    yield "pod", mapping(spec, "securityContext"), "/spec/securityContext"
    for container, pointer in containers(spec):
        name = f"container {container.get('name', '')}"
        yield name, mapping(container, "securityContext"), f"{pointer}/securityContext"


def _of_containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    return (found for found in _contexts(spec) if found[0] != "pod")


def _privilege_escalation(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _of_containers(spec):
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{who} may gain privileges", f"{pointer}/allowPrivilegeEscalation"


_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def _apparmor(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _contexts(spec):
        profile = context.get("appArmorProfile")
        kind = mapping(profile).get("type", "")
        if profile is not None and kind not in {"RuntimeDefault", "Localhost"}:
            yield f"{who} has the AppArmor profile {kind}", f"{pointer}/appArmorProfile"
    for key, value in mapping(metadata, "annotations").items():
        allowed = not value or value == "runtime/default" or str(value).startswith("localhost/")
        if key.startswith(_APPARMOR) and not allowed:
            name = key.removeprefix(_APPARMOR)
            yield f"container {name} has the AppArmor profile {value}", "/metadata/annotations"


_DEFAULT_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)


def _added(spec: Mapping[str, Any], allowed: frozenset[str]) -> Iterator[Atom]:
    for who, context, pointer in _of_containers(spec):
        for added in items(mapping(context, "capabilities"), "add"):
            if added not in allowed:
                yield f"{who} adds the capability {added}", f"{pointer}/capabilities/add"


def _capabilities_baseline(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    yield from _added(spec, _DEFAULT_CAPABILITIES)


def _capabilities_restricted(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _of_containers(spec):
        if "ALL" not in items(mapping(context, "capabilities"), "drop"):
            yield f"{who} keeps the default capabilities", f"{pointer}/capabilities/drop"
    yield from _added(spec, frozenset({"NET_BIND_SERVICE"}))


def _host_namespaces(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} is on", f"/spec/{field}"


def _host_paths(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for index, volume in enumerate(items(spec, "volumes")):
        if mapping(volume).get("hostPath") is not None:
            path = mapping(volume, "hostPath").get("path", "")
            yield f"the host's {path} is mounted", f"/spec/volumes/{index}/hostPath"


def _host_ports(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for container, pointer in containers(spec):
        for index, port in enumerate(items(container, "ports")):
            if mapping(port).get("hostPort"):
                text = f"container {container.get('name', '')} takes host port {port['hostPort']}"
                yield text, f"{pointer}/ports/{index}/hostPort"


def _host_probes(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    probes = ("livenessProbe", "readinessProbe", "startupProbe")
    hooks = ("lifecycle/postStart", "lifecycle/preStop")
    for container, pointer in containers(spec):
        for place in (*probes, *hooks):
            for action in ("httpGet", "tcpSocket"):
                host = mapping(container, *place.split("/"), action).get("host")
                if host:
                    text = f"container {container.get('name', '')} has the node call {host}"
                    yield text, f"{pointer}/{place}/{action}/host"


def _privileged(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _of_containers(spec):
        if context.get("privileged"):
            yield f"{who} is privileged", f"{pointer}/privileged"


def _proc_mount(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _of_containers(spec):
        if context.get("procMount", "Default") != "Default":
            yield f"{who} sees all of /proc", f"{pointer}/procMount"


_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)


def _volumes(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for index, volume in enumerate(items(spec, "volumes")):
        kinds = {kind for kind, value in mapping(volume).items() if value is not None} - {"name"}
        # A volume that names no source is an empty directory.
        for kind in sorted(kinds - _VOLUMES):
            path = mapping(volume, "hostPath").get("path", "")
            text = f"the host's {path} is mounted" if kind == "hostPath" else f"a {kind} volume"
            yield text, f"/spec/volumes/{index}/{kind}"


def _non_root(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for_all = mapping(spec, "securityContext").get("runAsNonRoot")
    if for_all is False:
        yield "pod may run as root", "/spec/securityContext/runAsNonRoot"
    for who, context, pointer in _of_containers(spec):
        own = context.get("runAsNonRoot")
        if not (for_all if own is None else own):
            yield f"{who} may run as root", f"{pointer}/runAsNonRoot"


def _root_user(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _contexts(spec):
        if context.get("runAsUser") == 0:
            yield f"{who} runs as user 0", f"{pointer}/runAsUser"


def _selinux(types: frozenset[str]) -> Rule:
    def rule(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
        for who, context, pointer in _contexts(spec):
            options = mapping(context, "seLinuxOptions")
            if options.get("type", "") not in types:
                yield f"{who} has the SELinux type {options['type']}", f"{pointer}/seLinuxOptions"
            for field in ("user", "role"):
                if options.get(field):
                    yield f"{who} sets the SELinux {field}", f"{pointer}/seLinuxOptions/{field}"

    return rule


_SECCOMP = frozenset({"Localhost", "RuntimeDefault"})
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"


def _seccomp_annotations(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    annotations = mapping(metadata, "annotations")
    names = [f"{_SECCOMP_CONTAINER}{found.get('name', '')}" for found, _ in containers(spec)]
    for key in (_SECCOMP_POD, *names):
        value = str(annotations.get(key, "runtime/default"))
        allowed = value in {"runtime/default", "docker/default"} or value.startswith("localhost/")
        if not allowed:
            yield f"the annotation {key} is {value}", "/metadata/annotations"


def _seccomp_fields(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _contexts(spec):
        profile = context.get("seccompProfile")
        kind = mapping(profile).get("type", "")
        if profile is not None and kind not in _SECCOMP:
            yield f"{who} has the seccomp profile {kind}", f"{pointer}/seccompProfile"


def _seccomp_restricted(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    yield from _seccomp_fields(metadata, spec)
    if mapping(spec, "securityContext", "seccompProfile").get("type") in _SECCOMP:
        return
    for who, context, pointer in _of_containers(spec):
        if context.get("seccompProfile") is None:
            yield f"{who} has no seccomp profile", f"{pointer}/seccompProfile"


SYSCTLS: tuple[tuple[int, frozenset[str]], ...] = (
    (
        0,
        frozenset(
            [
                "kernel.shm_rmid_forced",
                "net.ipv4.ip_local_port_range",
                "net.ipv4.tcp_syncookies",
                "net.ipv4.ping_group_range",
                "net.ipv4.ip_unprivileged_port_start",
            ]
        ),
    ),
    (27, frozenset({"net.ipv4.ip_local_reserved_ports"})),
    (
        29,
        frozenset(
            [
                "net.ipv4.tcp_keepalive_time",
                "net.ipv4.tcp_fin_timeout",
                "net.ipv4.tcp_keepalive_intvl",
                "net.ipv4.tcp_keepalive_probes",
            ]
        ),
    ),
    (32, frozenset({"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"})),
    (37, frozenset({"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"})),
)
"""The kernel settings that baseline allows in addition since each 1.x."""


def _sysctls(minor: int) -> Rule:
    allowed = frozenset[str]().union(*(names for since, names in SYSCTLS if since <= minor))

    def rule(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
        for index, setting in enumerate(items(mapping(spec, "securityContext"), "sysctls")):
            name = mapping(setting).get("name", "")
            if name not in allowed:
                yield f"the kernel setting {name} is set", f"/spec/securityContext/sysctls/{index}"

    return rule


def _host_process(_: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
    for who, context, pointer in _contexts(spec):
        if mapping(context, "windowsOptions").get("hostProcess"):
            yield f"{who} is a host process", f"{pointer}/windowsOptions/hostProcess"


def _unless_windows(rule: Rule) -> Rule:
    def relaxed(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
        if mapping(spec, "os").get("name") != "windows":
            yield from rule(metadata, spec)

    return relaxed


def _unless_user_namespace(rule: Rule) -> Rule:
    def relaxed(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Atom]:
        if spec.get("hostUsers") is not False:
            yield from rule(metadata, spec)

    return relaxed


def _baseline(id: str, *versions: tuple[int, Rule]) -> PodCheck:
    return PodCheck(id, Level.BASELINE, versions)


def _restricted(id: str, *versions: tuple[int, Rule], replaces: str = "") -> PodCheck:
    return PodCheck(id, Level.RESTRICTED, versions, replaces)


_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})

CHECKS: tuple[PodCheck, ...] = (
    _baseline("appArmorProfile", (0, _apparmor)),
    _baseline("capabilities_baseline", (0, _capabilities_baseline)),
    _baseline("hostNamespaces", (0, _host_namespaces)),
    _baseline("hostPathVolumes", (0, _host_paths)),
    _baseline("hostPorts", (0, _host_ports)),
    _baseline("hostProbesAndHostLifecycle", (34, _host_probes)),
    _baseline("privileged", (0, _privileged)),
    _baseline("procMount", (0, _proc_mount), (35, _unless_user_namespace(_proc_mount))),
    _baseline("seccompProfile_baseline", (0, _seccomp_annotations), (19, _seccomp_fields)),
    _baseline(
        "seLinuxOptions",
        (0, _selinux(_SELINUX_TYPES)),
        (31, _selinux(_SELINUX_TYPES | {"container_engine_t"})),
    ),
    _baseline("sysctls", *((since, _sysctls(since)) for since, _ in SYSCTLS)),
    _baseline("windowsHostProcess", (0, _host_process)),
    _restricted(
        "allowPrivilegeEscalation",
        (8, _privilege_escalation),
        (25, _unless_windows(_privilege_escalation)),
    ),
    _restricted(
        "capabilities_restricted",
        (22, _capabilities_restricted),
        (25, _unless_windows(_capabilities_restricted)),
        replaces="capabilities_baseline",
    ),
    _restricted("procMount_restricted", (35, _proc_mount), replaces="procMount"),
    _restricted("restrictedVolumes", (0, _volumes), replaces="hostPathVolumes"),
    _restricted("runAsNonRoot", (0, _non_root), (35, _unless_user_namespace(_non_root))),
    _restricted("runAsUser", (23, _root_user), (35, _unless_user_namespace(_root_user))),
    _restricted(
        "seccompProfile_restricted",
        (19, _seccomp_restricted),
        (25, _unless_windows(_seccomp_restricted)),
        replaces="seccompProfile_baseline",
    ),
)
NEWEST = 37
"""The newest Kubernetes 1.x whose checks are known here."""


def violations(pod: Mapping[str, Any], level: Level, minor: int = NEWEST) -> dict[str, str]:
    """What a pod has that a level forbids at Kubernetes 1.`minor`, with pointers into the pod."""
    asked = {c: c.rule(minor) for c in CHECKS if c.level <= level and c.rule(minor)}
    replaced = {check.replaces for check in asked}
    metadata, spec = mapping(pod, "metadata"), mapping(pod, "spec")
    return {
        atom: pointer
        for check, rule in asked.items()
        if rule and check.id not in replaced
        for atom, pointer in rule(metadata, spec)
    }
