"""What PromQL's functions take and give (Prometheus v3, promql/parser/functions.go)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an expression is."""

    SCALAR = "scalar"
    VECTOR = "vector"
    RANGE = "range"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Function:
    """A function's arguments and result."""

    takes: tuple[Kind, ...]
    gives: Kind
    least: int
    """How many of the arguments must be there."""
    repeats: bool = False
    """Whether the last argument may come again and again."""


_S, _V, _R, _T = Kind.SCALAR, Kind.VECTOR, Kind.RANGE, Kind.TEXT


def _all(names: str, takes: tuple[Kind, ...], least: int | None = None) -> dict[str, Function]:
    count = len(takes) if least is None else least
    return {name: Function(takes, _V, count) for name in names.split()}


FUNCTIONS = (
    _all(
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad "
        "sgn sin sinh sort sort_desc sqrt tan tanh timestamp histogram_avg histogram_count "
        "histogram_sum histogram_stddev histogram_stdvar",
        (_V,),
    )
    | _all(
        "absent_over_time avg_over_time changes count_over_time delta deriv idelta increase irate "
        "last_over_time first_over_time mad_over_time max_over_time min_over_time rate resets "
        "present_over_time stddev_over_time stdvar_over_time sum_over_time ts_of_first_over_time "
        "ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
        (_R,),
    )
    | _all(
        "day_of_month day_of_week day_of_year days_in_month hour minute month year", (_V,), least=0
    )
    | _all("clamp", (_V, _S, _S))
    | _all("clamp_max clamp_min", (_V, _S))
    | _all("histogram_fraction", (_S, _S, _V))
    | _all("histogram_quantile", (_S, _V))
    | _all("double_exponential_smoothing holt_winters", (_R, _S, _S))
    | _all("predict_linear", (_R, _S))
    | _all("quantile_over_time", (_S, _R))
    | _all("round", (_V, _S), least=1)
    | _all("info", (_V, _V), least=1)
    | _all("label_replace", (_V, _T, _T, _T, _T))
    | {
        "label_join": Function((_V, _T, _T, _T), _V, 3, repeats=True),
        "sort_by_label": Function((_V, _T), _V, 2, repeats=True),
        "sort_by_label_desc": Function((_V, _T), _V, 2, repeats=True),
        "histogram_quantiles": Function((_V, _T, _S), _V, 3, repeats=True),
        "pi": Function((), _S, 0),
        "scalar": Function((_V,), _S, 1),
        "time": Function((), _S, 0),
        "vector": Function((_S,), _V, 1),
    }
)
_SIMPLE = ("sum", "min", "max", "avg", "group", "stddev", "stdvar", "count")
_WITH_NUMBER = ("topk", "bottomk", "quantile", "limitk", "limit_ratio")
AGGREGATIONS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(_SIMPLE, (_V,)),
    **dict.fromkeys(_WITH_NUMBER, (_S, _V)),
    "count_values": (_T, _V),
}
