"""Objects that one policy alone has something against, made of the policies' own examples.

An example says no more than its policy needs. On a cluster with many policies another one may
refuse it first, so what tells the bad example from the good one is put on an object that nobody
has anything against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.verify.quotas import trial_pod


def pair(examples: Mapping[str, Any], kubernetes: str) -> tuple[Any, Any]:
    """Give the good and the bad object.

    Args:
        examples: The policy's `good` and `bad`.
        kubernetes: The cluster's minor version, such as `1.37`.
    """
    good, bad = examples["good"], examples["bad"]
    clean = _clean(str(good.get("kind")), kubernetes)
    base = _over(clean, good)
    return base, _turned(base, good, bad)


def _clean(kind: str, kubernetes: str) -> Mapping[str, Any]:
    """What nobody has anything against, of the kinds that several policies are about."""
    if kind == "Pod":
        pod = trial_pod({})
        return {**pod, "metadata": {"labels": pod["metadata"]["labels"]}}
    if kind == "Namespace":
        labels = {
            "groundplan.dev/owner": "platform",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": f"v{kubernetes}",
        }
        return {"metadata": {"labels": labels}}
    return {}


def _over(below: Any, above: Any) -> Any:
    """Lay one object over another; lists of objects item by item."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {
            key: _over(below[key], above[key])
            if key in below and key in above
            else above.get(key, below.get(key))
            for key in [*below, *(k for k in above if k not in below)]
        }
    if _alike(below, above):
        return [_over(one, other) for one, other in zip(below, above, strict=True)]
    return above


def _turned(base: Any, good: Any, bad: Any) -> Any:
    """Do to an object what turns the good example into the bad one."""
    if isinstance(base, Mapping) and isinstance(good, Mapping) and isinstance(bad, Mapping):
        kept = {key: value for key, value in base.items() if key in bad or key not in good}
        for key in base.keys() & good.keys() - bad.keys():
            if isinstance(base[key], Mapping) and (rest := _turned(base[key], good[key], {})):
                kept[key] = rest
        for key, value in bad.items():
            same = key in good and key in base
            kept[key] = _turned(base[key], good[key], value) if same else value
        return kept
    if _alike(good, bad) and _alike(base, good):
        return [_turned(*three) for three in zip(base, good, bad, strict=True)]
    return base if good == bad else bad


def _alike(one: Any, other: Any) -> bool:
    """Whether both are lists of as many objects."""
    return (
        isinstance(one, list)
        and isinstance(other, list)
        and len(one) == len(other)
        and all(isinstance(item, Mapping) for item in (*one, *other))
    )
