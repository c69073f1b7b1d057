"""Network policies: that the API server takes them, and that they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplan.checks import Check
from groundplan.checks._scenes import scenes
from groundplan.findings import Outcome, Passed, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.repository import Repository


def _accepted(repository: Repository) -> Iterator[Outcome]:
    """Find policies that no API server takes."""
    for scene in scenes(repository):
        for resource, pointer, why in scene.refused.values():
            yield ACCEPTED.fail(why, repository.locate(resource.origin, pointer), resource.id)
        yield Passed(len(scene.policies.keys() - scene.refused.keys()))


def _isolated(repository: Repository) -> Iterator[Outcome]:
    """Find workloads that nothing isolates, on clusters whose repository isolates others."""
    from groundplan.posture.network.policies import INGRESS
    from groundplan.posture.selectors import selects

    for scene in scenes(repository):
        if not scene.policies or scene.opaque:
            continue
        passed = 0
        for namespace, workloads in scene.pods.items():
            policies = [p for p in scene.by_namespace.get(namespace, ()) if INGRESS in p.allowances]
            for workload in workloads:
                boxes = (dict(policy.pods.part("of")) for policy in policies)
                isolated = any(selects(box, workload.labels) for box in boxes)
                if not isolated:
                    yield ISOLATED.fail(
                        f"anything may connect to the pods of {workload}: no policy of namespace "
                        f"{namespace} selects them",
                        repository.locate(workload.resource.origin),
                        workload.resource.id,
                    )
                passed += isolated
        yield Passed(passed)


ISOLATED = Check(
    "NPL001",
    "Workloads are isolated where others are",
    Severity.MEDIUM,
    "Add a policy with `podSelector: {}` and `policyTypes: [Ingress]` to the namespace.",
    _isolated,
)
ACCEPTED = Check(
    "NPL002",
    "The API server takes each network policy",
    Severity.HIGH,
    "Write the rule as the API of `networking.k8s.io/v1` has it.",
    _accepted,
)
CHECKS = (ISOLATED, ACCEPTED)
