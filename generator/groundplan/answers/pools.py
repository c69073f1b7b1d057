"""Pools of accelerators: what a place can make, who looks after the nodes, and who shares what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, Many, Number, Record, Text, label, shown, suggestion
from groundplan.answers.standing import standing_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.answers.fields import Path, Wrong

Items = list[tuple["Path", Mapping[str, Any]]]

SHARING = ("none", "time-slicing", "mps", "mig", "dra")
TOGETHER = ("time-slicing", "mps")
"""Ways in which pods are on one accelerator at once, with nothing between them that holds."""
FEWEST, MOST = 2, 48
"""Pods that share an accelerator; GKE takes no more."""
_BRANCH = re.compile(r"[4-9][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is known of accelerators, places and the engine: data files of the template."""

    accelerators: Mapping[str, Mapping[str, Any]]
    """By name: `memory` in GiB, `mig` by profile, and for each place its `machines`."""
    server: Mapping[str, Any]
    """How the engine is run: `utilisation`, `working`, `precisions`, `cuda`."""
    rules: Mapping[str, Any]
    """What can be promised of a model: `latencies` and `availability`."""
    places: Mapping[str, Mapping[str, Any]]
    """The data of each place: `capacity`, `gpu_stacks` and why something else cannot be there; in
    `weights` by style what weights can lie on, and the `fact` that a cluster has to say for it."""
    caches: Mapping[str, Any]
    """How weights come to their servers in a `tier`, and how long images and the engine take."""
    drivers: Mapping[str, int]
    """The oldest driver branch, by CUDA's major version."""

    def capacity(self, place: str) -> tuple[str, ...]:
        """How nodes can be paid for at a place."""
        return tuple(self.places[place].get("capacity") or ())

    def stack(self, cluster: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Who looks after a cluster's accelerators, by name; empty where that cannot be."""
        place = self.places[str(cluster["place"])]
        default = place["facts"].get("gpu_stack", {}).get("default", "")
        name = str(cluster.get("gpu_stack", default))
        return name, place.get("gpu_stacks", {}).get(name, {})


def pool_record(known: Hardware) -> Record:
    """What a pool may say."""
    steps = sorted({step for place in known.places for step in known.capacity(place)})
    levels = {level for place in known.places.values() for level in place.get("levels", ())}
    return Record(
        {
            "name": Text(label),
            "cluster": Text(label),
            "accelerator": among(
                *known.accelerators, id="answers.unknown-accelerator", what="accelerator"
            ),
            "per_node": Number(least=1),
            "most": Number(least=1),
            "capacity": Many(
                among(*steps, id="answers.not-a-capacity", what="kind of capacity"),
                required=False,
            ),
            "hour_cents": Number(required=False, least=1),
            "sharing": optional(
                among(*SHARING, id="answers.not-a-sharing", what="way to share an accelerator")
            ),
            "shares": Number(required=False, least=FEWEST),
            "profile": Text(_profile, required=False),
            "driver": Text(_branch, required=False),
            "teams": Many(Text(label), required=False),
            **standing_fields(
                among(*sorted(levels), id="answers.not-a-level", what="level of a topology")
            ),
        }
    )


def among(*names: str, id: str, what: str) -> Text:
    """One of some names."""

    def check(value: str) -> Wrong | None:
        if value in names:
            return None
        return id, f"{shown(value)} is no {what}", suggestion(value, names)

    return Text(check, choices=names)


def optional(text: Text) -> Text:
    """The same, where nothing may be said."""
    return Text(text.check, required=False, choices=text.choices)


def _profile(value: str) -> Wrong | None:
    if re.fullmatch(r"[1-7]g\.[0-9]{1,3}gb", value):
        return None
    return "answers.not-a-profile", f"{shown(value)} is no MIG profile", "write it as in 1g.10gb"


def _branch(value: str) -> Wrong | None:
    if _BRANCH.fullmatch(value):
        return None
    what = f"{shown(value)} is no branch of NVIDIA's driver"
    return "answers.not-a-driver", what, 'write its first number, as in "580"'


def slice_of(pool: Mapping[str, Any], known: Hardware) -> Mapping[str, Any]:
    """What one accelerator of a pool is cut into: `slices` and the `memory` of each, in GiB."""
    accelerator = known.accelerators.get(str(pool.get("accelerator")), {})
    whole = {"slices": 1, "memory": accelerator.get("memory")}
    if pool.get("sharing") != "mig":
        return whole
    found = accelerator.get("mig", {}).get(str(pool.get("profile")), whole)
    return found if isinstance(found, Mapping) else whole


def driver_of(pool: Mapping[str, Any], cluster: Mapping[str, Any], known: Hardware) -> str:
    """The branch of a pool's driver; empty where nobody said."""
    return str(known.stack(cluster)[1].get("driver") or pool.get("driver", ""))


def unmade(
    pools: Items, clusters: Mapping[str, Mapping[str, Any]], teams: Items, known: Hardware
) -> Iterator[Fault]:
    """Say which pools cannot be made, or not shared as they are."""
    for path, pool in pools:
        cluster = clusters.get(str(pool.get("cluster")))
        if cluster is None:
            what = f"there is no cluster {shown(pool.get('cluster'))}"
            fix = suggestion(str(pool.get("cluster")), clusters)
            yield Fault((*path, "cluster"), "answers.unknown-cluster", what, fix)
        elif cluster.get("place") in known.places:
            yield from _machines(path, pool, str(cluster["place"]), known)
            yield from _shared(path, pool, cluster, known)
            yield from _used_by(path, pool, teams)
    yield from _together(pools, clusters, known)


def _machines(path: Path, pool: Mapping[str, Any], place: str, known: Hardware) -> Iterator[Fault]:
    """Whether a place has such machines, so many, and paid for like this."""
    if pool.get("name") == "general":
        what = "general is the pool of nodes without accelerators"
        yield Fault((*path, "name"), "answers.reserved-pool", what, "choose another name")
    accelerator = known.accelerators.get(str(pool.get("accelerator")), {})
    machines = accelerator.get(place, {}).get("machines", {})
    if accelerator and not machines:
        there = [name for name, one in known.accelerators.items() if place in one]
        what = f"{place} has no {pool['accelerator']}"
        fix = f"use one of {', '.join(there)}" if there else "choose a cluster elsewhere"
        yield Fault((*path, "accelerator"), "answers.accelerator-not-there", what, fix)
    elif accelerator and str(pool.get("per_node")) not in machines:
        what = f"no machine of {place} has {pool.get('per_node')} {pool['accelerator']}"
        fix = f"use one of {', '.join(map(str, machines))}"
        yield Fault((*path, "per_node"), "answers.no-such-machine", what, fix)
    per_node, most = pool.get("per_node"), pool.get("most")
    if isinstance(per_node, int) and isinstance(most, int) and most < per_node:
        what = f"a node has {per_node} accelerators and the pool may have {most}"
        yield Fault((*path, "most"), "answers.pool-too-small", what, f"write {per_node} or more")
    steps = pool.get("capacity")
    anywhere = {step for one in known.places for step in known.capacity(one)}
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        if machines and step in anywhere - set(known.capacity(place)):
            what = f"{place} has no capacity that is {shown(step)}"
            fix = f"use {', '.join(known.capacity(place))}"
            yield Fault((*path, "capacity", index), "answers.capacity-not-there", what, fix)


def _shared(
    path: Path, pool: Mapping[str, Any], cluster: Mapping[str, Any], known: Hardware
) -> Iterator[Fault]:
    """Whether who looks after the nodes can share an accelerator like this."""
    place = known.places[str(cluster["place"])]
    name, stack = known.stack(cluster)
    sharing = str(pool.get("sharing", "none"))
    if why := place.get("no_stack", {}).get(name):
        what = f"gpu_stack of {cluster['name']} is {name}, and {why}"
        fix = f"use {' or '.join(place['gpu_stacks'])}"
        yield Fault((*path, "cluster"), "answers.gpu-stack-not-there", what, fix)
    elif stack and sharing in SHARING and sharing not in stack["sharing"]:
        why = (stack.get("not_shared") or place.get("not_shared") or {}).get(sharing, "nobody can")
        what = f"{sharing} is not to be had with gpu_stack {name} of {cluster['name']}: {why}"
        fix = f"use {' or '.join(stack['sharing'])}"
        yield Fault((*path, "sharing"), "answers.sharing-not-there", what, fix)
    profiles = known.accelerators.get(str(pool.get("accelerator")), {}).get("mig", {})
    if sharing == "mig" and pool.get("profile") not in profiles:
        what = f"{pool.get('accelerator')} has no MIG profile {shown(pool.get('profile'))}"
        fix = f"use {', '.join(profiles)}" if profiles else "use another accelerator"
        yield Fault((*path, "profile"), "answers.no-such-profile", what, fix)
    shares = pool.get("shares")
    if sharing in TOGETHER and not (isinstance(shares, int) and FEWEST <= shares <= MOST):
        what = f"how many pods share one accelerator is {shown(shares)}"
        fix = f"write shares, from {FEWEST} to {MOST}"
        yield Fault((*path, "shares"), "answers.no-shares", what, fix)
    for key, ways in (("shares", TOGETHER), ("profile", ("mig",))):
        if key in pool and sharing not in ways:
            what = f"{key} says nothing with sharing {sharing}"
            yield Fault((*path, key), "answers.idle-key", what, f"drop {key}")
    if stack.get("driver") and "driver" in pool:
        what = f"the driver comes from {stack['driver_from']}, and is {stack['driver']}"
        yield Fault((*path, "driver"), "answers.driver-not-chosen", what, "drop driver")


def _used_by(path: Path, pool: Mapping[str, Any], teams: Items) -> Iterator[Fault]:
    """Whether those who share an accelerator may see each other's memory."""
    known = [str(team.get("name")) for _, team in teams]
    said = pool.get("teams")
    for index, name in enumerate(said if isinstance(said, list) else ()):
        if name not in known:
            what = f"there is no team {shown(name)}"
            fault = "answers.unknown-team"
            yield Fault((*path, "teams", index), fault, what, suggestion(str(name), known))
    users = said if isinstance(said, list) else _entitled(pool, teams)
    if pool.get("sharing") in TOGETHER and len(users) > 1:
        what = (
            f"{pool['sharing']} keeps neither memory nor faults apart, and "
            f"{', '.join(map(str, users))} would share the pool's accelerators"
        )
        fix = "name one team in teams, or use mig"
        yield Fault((*path, "sharing"), "answers.shared-across-teams", what, fix)


def _entitled(pool: Mapping[str, Any], teams: Items) -> list[str]:
    """The teams that may have accelerators where a pool is."""
    return [
        str(team.get("name"))
        for _, team in teams
        if str(team.get("gpus", "0")) != "0"
        and pool.get("cluster") in (team.get("clusters") or [pool.get("cluster")])
    ]


def _together(
    pools: Items, clusters: Mapping[str, Mapping[str, Any]], known: Hardware
) -> Iterator[Fault]:
    """Whether the pools of one cluster can be beside each other."""
    first: dict[str, Mapping[str, Any]] = {}
    for path, pool in pools:
        cluster = clusters.get(str(pool.get("cluster")))
        if cluster is None or cluster.get("place") not in known.places:
            continue
        before = first.setdefault(str(pool["cluster"]), pool)
        ways = {str(one.get("sharing", "none")) for one in (before, pool)}
        how = [[one.get(key) for key in ("sharing", "shares", "profile")] for one in (before, pool)]
        if len(ways) > 1 and "dra" in ways:
            names = f"{before.get('name')} and {pool.get('name')}"
            what = f"of {names} one is served by a device plugin and the other by claims"
            fix = "have both by claims, or neither: two would give away one accelerator"
            yield Fault((*path, "sharing"), "answers.two-owners", what, fix)
        elif how[0] != how[1] and known.stack(cluster)[1].get("alike"):
            what = f"{before.get('name')} and {pool.get('name')} share accelerators differently"
            fix = "have them alike, or on clusters of their own"
            yield Fault((*path, "sharing"), "answers.pools-differ", what, fix)
