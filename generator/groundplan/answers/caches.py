"""How a model's weights reach its servers, and how long it takes until one answers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.answers.fields import Path
    from groundplan.answers.pools import Hardware

MIB = 1024
"""In one GiB."""


@dataclass(frozen=True, slots=True)
class Start:
    """What happens one after the other before a server answers, in seconds."""

    node: int
    """Until a new node has its accelerators."""
    image: int
    """Until it has the engine's image."""
    weights: int
    """Until the engine has read the weights; that an image of them is pulled is part of it."""
    engine: int
    """Until the engine has compiled, recorded its graphs and answers."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.node + self.image + self.weights + self.engine


def style_of(
    model: Mapping[str, Any], gib: float, most: int, offers: Mapping[str, Any], caches: Any
) -> str:
    """Choose how weights reach their servers: by the first rule that fits; empty when none does.

    Args:
        model: Its answers; `cache` overrides the rules.
        gib: What the weights have together.
        most: How many servers there can be.
        offers: What the cluster has, by style.
        caches: The rules: `blueprints/model-cache.yaml`, and the platform's `tier`.
    """
    scheme, alone, tier = str(model.get("source")).partition(":")[0], most == 1, caches["tier"]

    def fits(rule: Mapping[str, Any], offer: Mapping[str, Any]) -> bool:
        stays = offer.get("stays", False)
        return (
            scheme in rule["sources"]
            and gib <= rule.get("most", gib)
            and rule.get("alone", alone) == alone
            and tier in rule.get("tiers", (tier,))
            and rule.get("stays", stays) == stays
        )

    fitting = (
        rule["style"]
        for rule in caches["rules"]
        if rule["style"] in offers and fits(rule, offers[rule["style"]])
    )
    return str(model.get("cache") or next(fitting, ""))


def cold_start(
    model: Mapping[str, Any], gib: float, style: str, place: Mapping[str, Any], caches: Any
) -> Start:
    """Estimate a start on a node that has to be made first.

    Args:
        model: Its answers; of these, `layers` decides how long the engine takes.
        gib: What the weights have together.
        style: What they lie on.
        place: The data of the cluster's place: `accelerator_node`, and of each style
            in `weights` the MiB/s at which a server `reads`.
        caches: What is known of images and engine: `blueprints/model-cache.yaml`.
    """
    engine = caches["engine"]
    brought = {"image": caches["pulls"], "node": caches["fetches"], "kserve": caches["fetches"]}
    pulled = gib * MIB / brought[style] if style in brought else 0
    return Start(
        place["accelerator_node"]["seconds"],
        round(caches["image"] * MIB / caches["pulls"]),
        ceil(pulled + gib * MIB / place["weights"][style]["reads"]),
        round(engine["begins"] + (engine["compiles"] + engine["records"]) * model["layers"]),
    )


def styles(known: Hardware) -> set[str]:
    """What weights can lie on, anywhere."""
    return {style for place in known.places.values() for style in place.get("weights") or ()}


def offered(cluster: Mapping[str, Any], known: Hardware) -> dict[str, Any]:
    """What weights can lie on at a cluster, by style."""
    there = known.places.get(str(cluster.get("place")), {}).get("weights") or {}
    return {
        style: offer
        for style, offer in there.items()
        if (not offer.get("fact") or cluster.get(offer["fact"]))
        and offer.get("stack", stack := known.stack(cluster)[0]) == stack
    }


def unstored(
    path: Path, model: Mapping[str, Any], most: int, cluster: Mapping[str, Any], known: Hardware
) -> Iterator[Fault]:
    """Say when what a model's weights lie on is not there, or not for all of its servers."""
    source, place = str(model.get("source")), str(cluster.get("place"))
    offers = offered(cluster, known)
    several = most > 1
    wanted, image = model.get("cache"), source.startswith("oci:")
    if source.startswith("gs:") and place != "gke":
        what = f"{place} gives pods no identity that Google knows"
        yield Fault((*path, "source"), "answers.bucket-out-of-reach", what, "copy it to s3://")
    together = offers.keys() & {"shared", "snapshot", "node"}
    if wanted is None and several and not image and not together:
        what = f"{most} replicas would share a volume that one node can have"
        fix = "put the model in a registry (oci://), from which every node pulls it"
        yield Fault((*path, "replicas"), "answers.volume-shared", what, fix)
    elif wanted == "volume" and several:
        fix = "leave cache out, and the best that the place has is chosen"
        what = f"{most} replicas cannot have a volume of one node"
        yield Fault((*path, "cache"), "answers.volume-shared", what, fix)
    elif wanted in styles(known) - offers.keys():
        what = f"{cluster.get('name')} has no cache {shown(wanted)}"
        fix = f"use one of {', '.join(sorted(offers))}"
        yield Fault((*path, "cache"), "answers.cache-not-there", what, fix)
    elif wanted and image != (wanted == "image"):
        what = f"{shown(source)} cannot come by the cache {shown(wanted)}"
        fix = "image is for oci:// and the others are not"
        yield Fault((*path, "cache"), "answers.cache-not-there", what, fix)


def late(
    path: Path,
    model: Mapping[str, Any],
    size: tuple[float, int],
    cluster: Mapping[str, Any],
    known: Hardware,
) -> Iterator[Fault]:
    """Say when a model is there later than `cold_start_s` allows.

    Its size is the GiB of its weights, and how many servers there can be.
    """
    gib, most = size
    objective, offers = model.get("cold_start_s"), offered(cluster, known)
    style = style_of(model, gib, most, offers, known.caches)
    if not isinstance(objective, int) or style not in offers:
        return
    place = known.places[str(cluster["place"])]
    start = cold_start(model, ceil(gib), style, place, known.caches)
    if start.total > objective:
        what = (
            f"answers {start.total} s after a new node is asked for (node {start.node}, image "
            f"{start.image}, weights {start.weights}, engine {start.engine}), allowed are "
            f"{objective}"
        )
        fix = f"write {start.total} or more, use fewer bits, or keep a replica running"
        yield Fault((*path, "cold_start_s"), "answers.starts-too-late", what, fix)
