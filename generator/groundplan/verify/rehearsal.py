"""One cluster's objects, applied to an empty API server in the order that the engine would."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from groundplan.errors import ToolError
from groundplan.runners.client import Request, apply
from groundplan.runners.definitions import PATH as DEFINITIONS
from groundplan.runners.kinds import Served, discover
from groundplan.verify import pod_templates, standins
from groundplan.verify.rejections import Fault, faults

if TYPE_CHECKING:
    from groundplan.gitops.model import Cluster, Unit
    from groundplan.resources import Resource
    from groundplan.runners.apiserver import ApiServer

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
_POLICIES = frozenset(
    ("admissionregistration.k8s.io", kind)
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
)
_FIRST = frozenset({CRD, ("", "Namespace")})
_FOR_REAL = (
    _FIRST
    | _POLICIES
    | {
        ("", "LimitRange"),
        ("", "ResourceQuota"),
        ("", "ServiceAccount"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("node.k8s.io", "RuntimeClass"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceClaimTemplate"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "StorageClass"),
    }
)
"""What later objects are judged by, and what holds teams.

Webhooks are not among it: nobody would answer them here.
"""

_ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
GIVEN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
_SETTLE_TIMEOUT = 30.0


class Definitions(Protocol):
    """Where CustomResourceDefinitions come from."""

    def crd_for(self, group: str, kind: str) -> Any:
        """Return the manifest that brings a kind, or a value with a `reason`."""


class Verdicts(Protocol):
    """Who is told what the server says."""

    def accepted(self, resource: Resource) -> None:
        """An object was taken."""

    def rejected(self, resource: Resource, fault: Fault) -> None:
        """An object was refused."""

    def warned(self, resource: Resource, text: str) -> None:
        """An object was taken with a warning."""

    def admitted(self, resource: Resource) -> None:
        """A workload's pods would be let in."""

    def turned_away(self, resource: Resource, fault: Fault) -> None:
        """A workload's pods would be refused."""

    def skipped(self, subject: str, reason: str, count: int = 1) -> None:
        """Something was not applied."""


class Rehearsal:
    """Applies one cluster's units to one API server that has seen nothing yet."""

    def __init__(
        self, cluster: Cluster, server: ApiServer, definitions: Definitions, verdicts: Verdicts
    ) -> None:
        self._cluster = cluster
        self._client = server.client
        self._controllers = server.controllers
        self._definitions = definitions
        self._verdicts = verdicts
        self._resources = [r for unit in cluster.units for r in unit.resources]
        self._kinds = discover(server.client)
        self._params = _param_kinds(self._resources)
        self._missing: dict[tuple[str, str], str] = {}
        self._taken: list[Resource] = []
        self.sent = 0
        """Objects of the repository that the server was asked about."""

    def run(self, progress: Callable[[str], None]) -> None:
        """Apply everything, in order.

        Raises:
            ToolError: `verify.namespace`; else when the server ends or never settles.
        """
        self._install_definitions()
        self._create_namespaces(GIVEN_NAMESPACES | _engine_namespaces(self._cluster))
        for number, unit in enumerate(self._cluster.units, 1):
            progress(f"{self._cluster.name}: {number} of {len(self._cluster.units)} {unit.id}")
            self._apply_unit(unit)
        if not self._controllers:
            standins.aggregate(self._client)
        self._admit_pods()

    def _install_definitions(self) -> None:
        """Install the CRDs of the kinds in use that the repository does not bring itself."""
        brought = {key for r in self._resources if (key := _defined(r.body))}
        builtin = self._builtin_groups()
        wanted: dict[str, Mapping[str, Any]] = {}
        for key in sorted({(r.id.group, r.id.kind) for r in self._resources} - brought):
            group, kind = key
            if self._kinds.versions(group, kind) or group in builtin:
                continue
            found = self._definitions.crd_for(group, kind)
            if isinstance(found, Mapping):
                wanted[found["metadata"]["name"]] = _installable(found)
            elif "." in group:
                self._missing[key] = found.reason
        self._define(list(wanted.values()))

    def _builtin_groups(self) -> set[str]:
        """The groups that nobody defined: what they lack is not to be had."""
        # A definition is named after its kind and its group.
        answer = self._client.get(DEFINITIONS.removesuffix("/"), _ONLY_METADATA)
        names = (one["metadata"]["name"] for one in answer.body["items"] or ())
        defined = {name.partition(".")[2] for name in names}
        return {group for group, _, _ in self._kinds.served} - defined

    def _define(self, manifests: list[Mapping[str, Any]]) -> None:
        """Install CRDs and wait until the server has their kinds."""
        requests = (apply(_crd_path(m), m, dry_run=False) for m in manifests)
        answers = list(self._client.send_all(requests))
        for manifest, answer in zip(manifests, answers, strict=True):
            if not answer.ok:
                spec = manifest["spec"]
                key = spec["group"], spec["names"]["kind"]
                self._missing[key] = f"its CRD was refused: {answer.message}"
        self._await_definitions(
            [m for m, answer in zip(manifests, answers, strict=True) if answer.ok]
        )

    def _await_definitions(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        for manifest in manifests:
            self._kinds = self._kinds.having(manifest)
            name = manifest["metadata"]["name"]
            _until(partial(self._established, _crd_path(manifest)), f"the CRD {name}")

    def _established(self, path: str) -> bool:
        status = _mapping(self._client.get(path).body, "status")
        conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
        return conditions.get("Established") == "True"

    def _create_namespaces(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            path = f"/api/v1/namespaces/{name}"
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            answer = self._client.send(apply(path, body, dry_run=False))
            if answer.ok:
                standins.furnish(self._client, name)
            elif not self._client.get(path).ok:
                raise ToolError(
                    "verify.namespace",
                    f"the cluster refuses the namespace {name}, which an engine makes before "
                    f"anything of the repository is there: {answer.message[:300]}",
                    fix="verify on a cluster without the policies of another repository",
                )

    def _apply_unit(self, unit: Unit) -> None:
        stages: tuple[list[Resource], ...] = ([], [], [])
        for resource in unit.resources:
            stages[self._stage(resource)].append(resource)
        for stage, resources in enumerate(stages):
            taken = self._apply(resources, dry_run=stage == 2)
            self._settle(taken)
        if unit.releases:
            self._verdicts.skipped(
                "objects of Helm charts", "charts are not rendered here", len(unit.releases)
            )
        for problem in unit.problems:
            self._verdicts.skipped(str(unit.id), f"not built whole: {problem.message}")

    def _stage(self, resource: Resource) -> int:
        key = resource.id.group, resource.id.kind
        if key in _FIRST:
            return 0
        return 1 if key in _FOR_REAL or key in self._params else 2

    def _apply(self, resources: list[Resource], *, dry_run: bool) -> list[Resource]:
        """Apply objects, tell what the server says; those it took are the result."""
        asked = [(r, served) for r in resources if (served := self._addressed(r)) is not None]
        self.sent += len(asked)
        requests = (_request(resource, served, dry_run) for resource, served in asked)
        taken = []
        for (resource, _), answer in zip(asked, self._client.send_all(requests), strict=True):
            if answer.ok:
                taken.append(resource)
                self._verdicts.accepted(resource)
            else:
                for fault in faults(answer.body, resource.body):
                    self._verdicts.rejected(resource, fault)
            for text in answer.warnings:
                self._verdicts.warned(resource, text)
        self._taken += taken
        return taken

    def _addressed(self, resource: Resource) -> Served | None:
        """How to address an object; what cannot be is rejected or skipped."""
        identity = resource.id
        if "sops" in resource.body:
            self._verdicts.skipped("encrypted objects", "only the cluster can decrypt them")
            return None
        served = self._kinds.find(identity)
        if served is not None:
            return served
        reason = self._missing.get((identity.group, identity.kind))
        if reason is not None:
            self._verdicts.skipped(f"{identity.kind} {identity.api_version}", reason)
            return None
        versions = ", ".join(self._kinds.versions(identity.group, identity.kind))
        only = f", only in {versions}" if versions else ""
        said = f"the API server has no {identity.kind} in {identity.api_version}{only}"
        self._verdicts.rejected(resource, Fault("/apiVersion", said))
        return None

    def _settle(self, taken: list[Resource]) -> None:
        """Do what controllers would, and wait until the server goes by what it was given."""
        self._await_definitions([r.body for r in taken if _defined(r.body)])
        for resource in taken:
            key, served = (resource.id.group, resource.id.kind), self._kinds.find(resource.id)
            if key == ("", "Namespace"):
                standins.furnish(self._client, resource.id.name)
            elif key == ("", "ResourceQuota") and served is not None:
                standins.open_quota(self._client, served.path(resource.id), resource.body)
        if any((r.id.group, r.id.kind) in _POLICIES for r in taken):
            self._await_policies()

    def _await_policies(self) -> None:
        """Wait until the newest policy of all, made for this, denies what it should."""
        name = f"groundplan-{secrets.token_hex(4)}"
        group = "/apis/admissionregistration.k8s.io/v1"
        policy = f"{group}/validatingadmissionpolicies/{name}"
        binding = f"{group}/validatingadmissionpolicybindings/{name}"
        self._client.send(apply(policy, _canary_policy(name), dry_run=False))
        self._client.send(apply(binding, _canary_binding(name), dry_run=False))
        probe = apply(
            f"/api/v1/namespaces/default/configmaps/{name}",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}},
            dry_run=True,
        )
        _until(lambda: not self._client.send(probe).ok, "the admission policies")
        for path in (binding, policy):
            self._client.send(Request("DELETE", path))

    def _admit_pods(self) -> None:
        """Ask for one pod of each workload, now that all is there that pods refer to."""
        pods = [(r, at, body) for r in self._taken for at, body in pod_templates.pods(r)]
        requests = [_pod_request(resource, body) for resource, _, body in pods]
        answers = self._client.send_all(requests)
        for (resource, place, body), answer in zip(pods, answers, strict=True):
            if answer.ok:
                self._verdicts.admitted(resource)
                continue
            for fault in faults(answer.body, body):
                self._verdicts.turned_away(resource, Fault(place + fault.pointer, fault.message))


def _request(resource: Resource, served: Served, dry_run: bool) -> Request:
    metadata = resource.body.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("name"):
        return apply(served.path(resource.id), resource.body, dry_run=dry_run)
    query = "fieldManager=groundplan&fieldValidation=Strict&dryRun=All"
    return Request("POST", f"{served.collection(resource.id.namespace)}?{query}", resource.body)


def _pod_request(resource: Resource, body: Mapping[str, Any]) -> Request:
    pods = Served("", "v1", "pods", True).collection(resource.id.namespace)
    return Request("POST", f"{pods}?dryRun=All", body)


def _until(done: Callable[[], bool], what: str) -> None:
    """Ask again and again, for a limited time."""
    give_up = time.monotonic() + _SETTLE_TIMEOUT
    while not done():
        if time.monotonic() > give_up:
            raise ToolError(
                "apiserver.unsettled", f"{what} did not take effect in {_SETTLE_TIMEOUT:.0f} s"
            )
        time.sleep(0.05)


def _defined(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """The group and kind that an object defines, if it is a CRD."""
    group, _, _ = str(body.get("apiVersion", "")).rpartition("/")
    if (group, body.get("kind")) != CRD:
        return None
    spec = body.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
        return None
    return str(spec.get("group", "")), str(names.get("kind", ""))


def _installable(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CRD that needs no running conversion webhook."""
    return {**manifest, "spec": {**manifest["spec"], "conversion": {"strategy": "None"}}}


def _crd_path(manifest: Mapping[str, Any]) -> str:
    return DEFINITIONS + str(manifest["metadata"]["name"])


def _engine_namespaces(cluster: Cluster) -> set[str]:
    """The namespaces that the engine lives in or makes by itself."""
    found = {unit.id.namespace for unit in cluster.units if unit.id.namespace}
    for unit in cluster.units:
        for resource in unit.resources:
            if resource.id.kind != "HelmRelease":
                continue
            spec = _mapping(resource.body, "spec")
            if _mapping(spec, "install").get("createNamespace"):
                found.add(str(spec.get("targetNamespace") or resource.id.namespace))
    return found - {""}


def _param_kinds(resources: Iterable[Resource]) -> set[tuple[str, str]]:
    """The kinds that admission policies take their parameters from."""
    found = set()
    for resource in resources:
        if resource.id.kind == "ValidatingAdmissionPolicy":
            kind = _mapping(_mapping(resource.body, "spec"), "paramKind")
            group, _, _ = str(kind.get("apiVersion", "")).rpartition("/")
            found.add((group, str(kind.get("kind", ""))))
    return found - {("", "")}


def _mapping(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Read a field that holds an object; anything else there counts as empty."""
    value = body.get(field)
    return value if isinstance(value, Mapping) else {}


def _canary_policy(name: str) -> Mapping[str, Any]:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["configmaps"],
        "resourceNames": [name],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false"}],
        },
    }


def _canary_binding(name: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
