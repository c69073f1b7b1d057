"""What a model takes of the memory of its accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Memory:
    """GiB of each of its accelerators that a model takes, with every request at its longest."""

    weights: float
    cache: float
    working: float
    usable: float
    """What the engine takes of it."""

    @property
    def needed(self) -> float:
        """All of it together."""
        return self.weights + self.cache + self.working

    @property
    def left(self) -> float:
        """What nobody needs."""
        return self.usable - self.needed

    @property
    def fits(self) -> bool:
        """Whether the engine can start with it."""
        return self.needed <= self.usable


def memory(model: Mapping[str, Any], accelerator: Mapping[str, Any], server: Any) -> Memory:
    """Count what a model takes of one of its accelerators at worst.

    Weights are parameters times the bytes of each, or as large as their files are said to be. The
    key-value cache has for each token two vectors of `head_dim` numbers for each key-value head of
    each layer (Kwon et al., "Efficient Memory Management for Large Language Model Serving with
    PagedAttention", 2023, section 3); at worst every request fills its context. Weights are split
    evenly by tensor parallelism, the cache by whole heads; each of several nodes has its part of
    the layers. Latent attention keeps one compressed vector for each token and layer instead, on
    every accelerator (DeepSeek-AI, "DeepSeek-V2", 2024, section 2.1).
    """
    gpus, nodes = model.get("gpus", 1), model.get("nodes", 1)
    weights = model["parameters_m"] * 1e6 * server["precisions"][model["precision"]]
    latent = model.get("attention") == "mla"
    heads = 1 if latent else ceil(model["kv_heads"] / (gpus // nodes))
    layers = ceil(model["layers"] / nodes)
    token = (2 - latent) * layers * heads * model["head_dim"] * server["cache_bytes"]
    cache = token * model["context"] * model["max_concurrency"]
    return Memory(
        model.get("size_gib", weights / GIB) / gpus,
        cache / GIB,
        server["working"],
        accelerator["memory"] * server["utilisation"],
    )
