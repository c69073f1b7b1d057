"""Whether admission policies are in force, and refuse what they are there to refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from groundplan import documents, template
from groundplan.findings import Passed, Severity, Skipped
from groundplan.resources import Origin, Resource
from groundplan.runners.client import Client, Request, apply
from groundplan.verify import standins, trials
from groundplan.verify.assertions import Assertion, Scene
from groundplan.verify.questions import Question
from groundplan.verify.record import Broken, Said
from groundplan.verify.rehearsal import GIVEN_NAMESPACES

if TYPE_CHECKING:
    from groundplan.runners.client import Answer

TRIAL = "groundplan-trial"
"""A team's namespace that nobody uses, where examples are tried."""

_NOWHERE = f'namespaces "{TRIAL}" not found'
_OF_TRIAL = "groundplan.dev/trial"
_RUNTIMES = "/apis/node.k8s.io/v1/runtimeclasses"
_PATIENCE = 20.0
"""Seconds for the controller manager to check a policy's expressions."""

_PODS_OF_ANY_KIND = "privileged"


def open_trial(client: Client) -> None:
    """Make the namespace for trials, before any policy is there that would refuse it.

    Pod Security lets everything into it, so that a refusal is a policy's own.
    """
    labels = {
        "groundplan.dev/owner": "platform",
        "groundplan.dev/tenant": TRIAL,
        "pod-security.kubernetes.io/enforce": _PODS_OF_ANY_KIND,
    }
    notes = {"groundplan.dev/device-classes": "gpu.groundplan.dev"}
    metadata = {"name": TRIAL, "labels": labels, "annotations": notes}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    client.send(apply(f"/api/v1/namespaces/{TRIAL}", body, dry_run=False))
    # A pod that names a runtime class which is not there is refused before any policy is asked.
    metadata = {"name": "nvidia", "labels": {_OF_TRIAL: "true"}}
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata}
    client.send(Request("POST", _RUNTIMES, {**runtime, "handler": "nvidia"}))
    standins.furnish(client, TRIAL)


def close_trial(client: Client) -> None:
    """Remove that namespace, and the runtime class if it is from here."""
    client.send(Request("DELETE", f"{_RUNTIMES}?labelSelector={_OF_TRIAL}"))
    client.send(Request("DELETE", f"/api/v1/namespaces/{TRIAL}"))


def _in_force(scene: Scene) -> Iterator[Said]:
    """Compare each policy and binding on the server with the repository's."""
    for resource in scene.of("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        served = scene.kinds.find(resource.id)
        answer = scene.client.get(served.path(resource.id)) if served else None
        if answer is None or not answer.ok:
            yield Broken(resource, f"{resource.id} is not on the cluster")
            continue
        field = "failurePolicy" if "Binding" not in resource.id.kind else "validationActions"
        meant, real = _spec(resource.body).get(field), _spec(answer.body).get(field)
        if meant is not None and meant != real:
            yield Broken(resource, f"{field} is {real} there, not {meant}", f"/spec/{field}")
        elif "Binding" in resource.id.kind:
            yield Passed()
        else:
            yield from _type_checked(scene, resource)


def _type_checked(scene: Scene, policy: Resource) -> Iterator[Said]:
    """Wait for what the controller manager says about a policy's expressions."""
    served = scene.kinds.find(policy.id)
    if not scene.controllers or served is None:
        reason = "a controller manager does them, and there is none here"
        yield Passed()
        yield Skipped("type checks of admission policies", reason)
        return
    give_up = time.monotonic() + _PATIENCE
    status: Mapping[str, Any] = {}
    while not status.get("observedGeneration") and time.monotonic() < give_up:
        status = scene.client.get(served.path(policy.id)).body.get("status") or {}
        time.sleep(0.05)
    if not status.get("observedGeneration"):
        reason = f"the controller manager did not do it in {_PATIENCE:.0f} s"
        yield Skipped("type checks of admission policies", reason)
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
    for warning in warnings:
        text = " ".join(str(warning["warning"]).split())
        yield Broken(policy, f"{warning['fieldRef']}: {text}")
    if not warnings:
        yield Passed()


def _refuse(scene: Scene) -> Iterator[Said]:
    """Try the good and the bad example of each policy that groundplan knows."""
    bindings = {
        _spec(binding.body).get("policyName"): binding
        for binding in scene.of("ValidatingAdmissionPolicyBinding")
    }
    for policy in scene.of("ValidatingAdmissionPolicy"):
        examples = _examples().get(policy.id.name.partition(".")[0])
        binding = bindings.get(policy.id.name)
        if examples is None:
            yield Skipped("admission policies", "no examples of what they refuse are known")
        elif not _on_creation(policy):
            reason = "they are about changes, and tried in the name of the teams' accounts"
            yield Skipped("admission policies", reason)
        elif binding is None:
            yield Broken(policy, f"{policy.id.name} has no binding, so it refuses nothing")
        else:
            yield _told_apart(scene, policy, _spec(binding.body)["validationActions"], examples)


def _on_creation(policy: Resource) -> bool:
    """Whether a policy looks at new objects."""
    rules = (_spec(policy.body).get("matchConstraints") or {}).get("resourceRules") or ()
    return any({"CREATE", "*"} & set(rule.get("operations") or ()) for rule in rules)


def _told_apart(
    scene: Scene, policy: Resource, actions: list[str], examples: Mapping[str, Any]
) -> Said:
    """Whether the bad example is refused or warned about by name, and the good one is not."""
    mark = policy.id.name.partition(".")[0].upper()
    right, wrong = trials.pair(examples, scene.kubernetes)
    good, bad = _try(scene, right), _try(scene, wrong)
    if good is None or bad is None:
        return Skipped("admission policies", "the cluster does not serve the kind of its example")
    if _NOWHERE in bad.message:
        reason = "on this cluster they are in force already, and refuse the namespace for trials"
        return Skipped("admission policies", reason)
    fault = ""
    if f"{mark}: " in good.message or any(mark in text for text in good.warnings):
        fault = f"{mark} is against its own good example: {good.message}"
    elif "Deny" in actions and bad.ok:
        fault = f"what {mark} forbids was accepted"
    elif "Deny" in actions and mark not in bad.message:
        fault = f"what {mark} forbids was refused, but not by it: {bad.message}"
    elif actions == ["Audit"]:
        return Skipped("admission policies", "they only write to the audit log")
    elif "Warn" in actions and not any(mark in text for text in bad.warnings):
        fault = f"what {mark} warns about was accepted without its warning"
    return Broken(policy, fault) if fault else Passed()


def _try(scene: Scene, example: Mapping[str, Any]) -> Answer | None:
    """Ask for an object as a dry run, in the namespace for trials where it is about a team's."""
    metadata = dict(example["metadata"])
    if metadata.get("namespace", "default") not in GIVEN_NAMESPACES:
        metadata["namespace"] = TRIAL
    resource = Resource.of({**example, "metadata": metadata}, Origin(""))
    served = scene.kinds.find(resource.id)
    if served is None:
        return None
    path = f"{served.collection(resource.id.namespace)}?dryRun=All"
    return scene.client.send(Request("POST", path, resource.body))


@cache
def _examples() -> Mapping[str, Mapping[str, Any]]:
    """The examples of the template's own policies, by the first part of the policies' names."""
    folder = template.locate().root / "blueprints" / "policies"
    rows = {path.stem: documents.load(path.read_text("utf-8")) for path in folder.glob("*.yaml")}
    return {name: row["examples"] for name, row in sorted(rows.items()) if "match" in row}


def _spec(body: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = body.get("spec")
    return spec if isinstance(spec, Mapping) else {}


IN_FORCE = Assertion(
    Question(
        "API004",
        "Admission policies are in force, in the mode that was declared",
        Severity.HIGH,
        "see what changed the policy on the cluster; a faulty expression never refuses anything",
    ),
    _in_force,
)
REFUSE = Assertion(
    Question(
        "API005",
        "Admission policies refuse what they are there to refuse, and say who they are",
        Severity.HIGH,
        "restore the policy and its binding as groundplan renders them",
    ),
    _refuse,
)
