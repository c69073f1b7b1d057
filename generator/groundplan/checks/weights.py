"""Weights of models: there before a server starts, read fast, with room to work beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.checks import Check
from groundplan.checks._objects import PodOf, PodRule, objects, pods
from groundplan.checks.serving import engines
from groundplan.findings import Outcome, Passed, Severity
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.checks._objects import Fault
    from groundplan.repository import Repository

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_CACHES = frozenset(("HOME", "XDG_CACHE_HOME", "VLLM_CACHE_ROOT", "HF_HOME", "TRITON_CACHE_DIR"))
_OVER_NETWORK = re.compile(r"efs|nfs|filestore|azurefile|cephfs", re.IGNORECASE)
_WHOLE = re.compile(r"--safetensors-load-strategy[= ]eager|--load-format[= ]\w*streamer")


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    entries = map(mapping, items(container, "env"))
    return {str(entry.get("name")): str(entry.get("value", "")) for entry in entries}


def _served_by(pod: PodOf) -> Iterator[tuple[Mapping[str, Any], list[str], str]]:
    """The containers that serve; what comes before them, or fetches for them, does not."""
    for container, words, place in engines(pod):
        if pod.accelerated and not place.startswith("/spec/init"):
            yield container, words, place


def _serves(pod: PodOf) -> bool:
    return any(True for _ in _served_by(pod))


def _fetching(pod: PodOf) -> Iterator[Fault]:
    for container, _, place in _served_by(pod):
        said = _environment(container)
        if not any(said.get(name) in ("1", "true", "True") for name in _OFFLINE):
            yield place, "may ask a hub at run time, which counts requests by their address"


def _locked(pod: PodOf) -> Iterator[Fault]:
    for container, _, place in _served_by(pod):
        closed = mapping(container, "securityContext").get("readOnlyRootFilesystem")
        if closed and not _CACHES & _environment(container).keys():
            yield place, "may write nowhere, and is not told where to keep what it compiles"


def _page_by_page(repository: Repository) -> Iterator[Outcome]:
    """Find servers that map weights into memory over a network, page by page."""
    classes = {
        (one.id.namespace, one.id.name): str(mapping(one.body, "spec").get("storageClassName", ""))
        for one in objects(repository)
        if one.id.kind == "PersistentVolumeClaim"
    }
    for pod in pods(repository):
        claims = (
            str(mapping(mapping(volume), "persistentVolumeClaim").get("claimName"))
            for volume in items(pod.spec, "volumes")
        )
        namespace = pod.resource.id.namespace
        slow = any(_OVER_NETWORK.search(classes.get((namespace, name), "")) for name in claims)
        for _, words, place in _served_by(pod) if slow else ():
            if _WHOLE.search(" ".join(words)):
                yield Passed()
                continue
            yield PAGE_BY_PAGE.fail(
                f"{pod.resource.id} reads weights page by page from a volume over the network",
                repository.locate(pod.resource.origin, pod.place(place)),
                pod.resource.id,
            )


PAGE_BY_PAGE = Check(
    "WGT003",
    "Weights on a volume over the network are read in one go",
    Severity.LOW,
    "Give the engine --safetensors-load-strategy=eager, or a streamer.",
    _page_by_page,
)
RULES = (
    PodRule(
        "WGT001",
        "A model server fetches nothing at run time",
        Severity.LOW,
        'Fetch the model by a Job before, and set HF_HUB_OFFLINE to "1".',
        _serves,
        _fetching,
    ),
    PodRule(
        "WGT002",
        "A model server has somewhere to keep what it compiles",
        Severity.MEDIUM,
        "Mount a volume, and set HOME and VLLM_CACHE_ROOT to it.",
        _serves,
        _locked,
    ),
)
CHECKS = (PAGE_BY_PAGE, *(rule.check() for rule in RULES))
