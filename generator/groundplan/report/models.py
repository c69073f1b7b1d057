"""What models need, as text for people and programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from groundplan.budgets import Budget, Standing

_COLUMNS = (
    "model",
    "on",
    "weights by",
    "memory in GiB",
    "node",
    "image",
    "weights",
    "engine",
    "start in s",
    "objective in s",
)
_ASSUMED = "assumed"


def render(budgets: Sequence[Budget], standing: Sequence[Standing], form: str) -> str:
    """Write what models need, and what pools cost without any, in one of the formats."""
    if form == "json":
        found = {"models": list(map(_shown, budgets)), "standing": list(map(asdict, standing))}
        return json.dumps(found, indent=2) + "\n"
    lines = _markdown(budgets) if form == "markdown" else _text(budgets)
    kept = [_kept(pool) for pool in standing]
    between = [""] if kept and form == "markdown" else []
    return "\n".join([*lines, *between, *kept]) + "\n"


def _kept(pool: Standing) -> str:
    each = f"{pool.accelerators} \N{MULTIPLICATION SIGN} {pool.accelerator}"
    cost = "nobody said what it costs (hour_cents)"
    if pool.hour is not None:
        cost = f"it costs {pool.hour:.2f} an hour and {pool.month:.0f} a month, used or not"
    return f"Pool {pool.pool} of {pool.cluster} always has {each}; {cost}."


def _shown(budget: Budget) -> dict[str, object]:
    shown = asdict(budget)
    shown["memory"]["left"] = budget.memory.left
    shown["start"] = [
        {"part": part.name, "seconds": part.seconds, "source": part.source or _ASSUMED}
        for part in budget.start
    ]
    return shown | {"seconds": budget.seconds}


def _text(budgets: Sequence[Budget]) -> Iterator[str]:
    if not budgets:
        yield "No model is served here."
    for budget in budgets:
        yield f"{budget.name}: {_on(budget)}, for team {budget.team}"
        yield f"  weights  {budget.style}: {budget.because}"
        yield f"  memory   {_memory(budget)}"
        yield f"  start    about {budget.seconds} s on a new node; {_objective(budget)}"
        for part in budget.start:
            yield f"    {part.name:<8} {part.seconds:>5} s  {part.source or _ASSUMED}"
        yield ""
    if budgets:
        yield "All of this is estimated; what is assumed has no source."


def _markdown(budgets: Sequence[Budget]) -> Iterator[str]:
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---" * len(_COLUMNS) + "|"
    for budget in budgets:
        parts = (
            f"{part.seconds} ({part.source})" if part.source else f"{part.seconds} ({_ASSUMED})"
            for part in budget.start
        )
        cells = (budget.name, _on(budget), budget.style, _memory(budget), *parts)
        yield f"| {' | '.join(cells)} | {budget.seconds} | {budget.objective or ''} |"


def _on(budget: Budget) -> str:
    servers = f"{budget.servers} servers of " if budget.servers > 1 else ""
    each = f"{servers}{budget.accelerators} \N{MULTIPLICATION SIGN} {budget.accelerator}"
    return f"{each} in pool {budget.pool} of {budget.cluster}"


def _memory(budget: Budget) -> str:
    of = budget.memory
    return (
        f"{of.needed:.1f} of {of.usable:.1f} GiB on each: weights {of.weights:.1f}, key-value "
        f"cache {of.cache:.1f}, work {of.working:.1f}; {of.left:.1f} left"
    )


def _objective(budget: Budget) -> str:
    if budget.objective is None:
        return "no objective (cold_start_s)"
    return f"the objective is {budget.objective} s, {budget.objective - budget.seconds} s are left"
