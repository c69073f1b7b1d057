"""Pools that keep nodes which nobody has asked for, and how those nodes are to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, Many, Number, Text, label, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.answers.fields import Kind, Path
    from groundplan.answers.pools import Hardware, Items


def standing_fields(level: Text) -> dict[str, Kind]:
    """What a pool may say of nodes that stand."""
    return {
        "minimum": Number(required=False),
        "topology": Many(level, required=False),
        "racks": Many(Text(label), required=False),
    }


def unsteady(
    pools: Items,
    clusters: Mapping[str, Mapping[str, Any]],
    answers: Mapping[str, Any],
    known: Hardware,
) -> Iterator[Fault]:
    """Say which pools cannot keep their nodes, or not be looked at node by node."""
    for path, pool in pools:
        cluster = clusters.get(str(pool.get("cluster")), {})
        place = known.places.get(str(cluster.get("place")))
        if place is None or not all(isinstance(pool.get(key), int) for key in ("per_node", "most")):
            continue
        yield from _kept(path, pool, place)
        if pool.get("topology") and "no_minimum" not in place:
            yield from _looked_at(path, pool, answers, list(place.get("levels", ())))
        yield from _in_racks(path, pool)


def _kept(path: Path, pool: Mapping[str, Any], place: Mapping[str, Any]) -> Iterator[Fault]:
    """Whether the place can keep so many."""
    least, each, most = pool.get("minimum", 0), pool["per_node"], pool["most"]
    if not isinstance(least, int):
        return
    if each and least % each:
        what = f"{least} accelerators are no whole nodes of {each}"
        fix = f"write {least // each * each or each}"
        yield Fault((*path, "minimum"), "answers.minimum-not-whole", what, fix)
    elif least > most:
        what = f"the pool keeps {least} accelerators and may have {most}"
        yield Fault((*path, "minimum"), "answers.minimum-above-most", what, f"write at most {most}")
    why = place.get("no_minimum")
    for key in ("minimum", "topology"):
        if why and pool.get(key):
            what = f"every pool of {place['title']} may be empty: {why}"
            yield Fault((*path, key), "answers.pool-cannot-stand", what, f"drop {key}")


def _looked_at(
    path: Path, pool: Mapping[str, Any], answers: Mapping[str, Any], levels: list[str]
) -> Iterator[Fault]:
    """Whether Kueue would find what it looks for."""
    wanted, at = pool["topology"], (*path, "topology")
    if isinstance(wanted, list) and not set(wanted) - set(levels):
        in_order = [level for level in levels if level in wanted]
        if in_order != wanted or wanted[-1] != levels[-1]:
            what = f"{', '.join(wanted)} does not go from the widest level down to {levels[-1]}"
            fix = f"write some of {', '.join(levels)}, in this order and down to {levels[-1]}"
            yield Fault(at, "answers.topology-out-of-order", what, fix)
    if pool.get("minimum", 0) != pool["most"]:
        what = "Kueue lets in what fits on nodes that exist, and the pool may have fewer than most"
        yield Fault(at, "answers.topology-of-empty-pool", what, f"write minimum: {pool['most']}")
    if pool.get("sharing") == "dra":
        what = "Kueue does not queue what is claimed, so the topology says nothing"
        yield Fault(at, "answers.topology-of-claims", what, "drop topology")
    if answers.get("accelerator_queues", "none") != "kueue":
        what = "nobody looks at a topology without queues"
        fix = "choose accelerator_queues: kueue, or drop topology"
        yield Fault(at, "answers.topology-without-queues", what, fix)


def _in_racks(path: Path, pool: Mapping[str, Any]) -> Iterator[Fault]:
    """Whether the nodes are in racks that have names, and as many in each."""
    racks, topology = pool.get("racks", []), pool.get("topology", [])
    if not isinstance(racks, list) or not isinstance(topology, list):
        return
    at, nodes = (*path, "racks"), pool["most"] // (pool["per_node"] or 1)
    if racks and "rack" not in topology:
        what = "racks say nothing unless rack is in the topology"
        yield Fault(at, "answers.idle-key", what, "add rack to topology, or drop racks")
    elif "rack" in topology and not racks:
        what = "the topology has racks, and they have no names"
        yield Fault(at, "answers.no-racks", what, "name them in racks")
    elif len(set(map(str, racks))) < len(racks):
        what = f"{shown(racks)} names a rack twice"
        yield Fault(at, "answers.rack-twice", what, "name each rack once")
    elif racks and nodes % len(racks):
        what = f"{nodes} nodes are not as many in each of {len(racks)} racks"
        fix = f"write a most that is a multiple of {len(racks) * pool['per_node']}"
        yield Fault(at, "answers.uneven-racks", what, fix)
