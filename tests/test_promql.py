"""Queries are read as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from groundplan.promql import PromQLError, parse
from tests import promtool

if TYPE_CHECKING:
    from pathlib import Path

READ = {
    "up": {"up"},
    "vllm:num_requests_running{model_name='a', namespace!=\"\"} > 1": {"vllm:num_requests_running"},
    "sum by (a, b) (rate(x_total[5m])) / on (a) group_left (c) y offset 1d": {"x_total", "y"},
    "sum(rate(x_total[5m])) without (a)": {"x_total"},
    'histogram_quantile(0.95, sum by (le) (rate(x_bucket{le=~".+"}[5m])))': {"x_bucket"},
    "1 - avg_over_time((x > bool 1)[1h:5m])": {"x"},
    "absent(up == 1) or vector(0)": {"up"},
    'label_replace(x, "a", "$1", "b", "(.+)")': {"x"},
    'count_values("v", x)': {"x"},
    "max_over_time(rate(x_total[5m])[1h:])": {"x_total"},
    "-x ^ 2 + 3 * -y": {"x", "y"},
    "topk(3, x) and on () y unless ignoring (a) z": {"x", "y", "z"},
    "x @ 1700000000 - y @ end()": {"x", "y"},
    '{__name__="x", a="b"}': {"x"},
    '{__name__=~"x_.+"}': set(),
    "sum(x) # what is not read": {"x"},
    "time() - x > 1e3": {"x"},
    "NaN + Inf": set(),
    "sum(by)": {"by"},
    "max(:x:sum) - x": {":x:sum", "x"},
    "x[5m]": None,
    "rate(x)": None,
    "rate(x[5m]": None,
    "abs(x[5m])": None,
    "sum(x,)": None,
    "x y": None,
    "x + [5m]": None,
    "nothing(x)": None,
    "clamp(x, 1)": None,
    "1 > 2": None,
    "1 and x": None,
    "{}": None,
    '{a=""}': None,
    '{a=~".*"}': None,
    "x{a=b}": None,
    'x{a>"b"}': None,
    'x{__name__="y"}': None,
    "(x[5m]) + 1": None,
    "topk(x)": None,
    '"a" + x': None,
    "x offset 5": {"x"},
    "x + bool y": None,
    "sum by a (x)": None,
    "": None,
    "x ! y": None,
    "(x))": None,
}
"""Queries with the series that they ask for; none for those that Prometheus does not read."""
NEWER = "x offset 5"
"""The third major version of Prometheus reads it, and the second does not."""
NO_VALUE = "x[5m]"
"""Prometheus reads it, and fails to evaluate it."""


@pytest.mark.parametrize("query", READ)
def test_a_query_asks_for_series_or_cannot_be_read(query: str) -> None:
    wanted = READ[query]
    if wanted is None:
        with pytest.raises(PromQLError):
            parse(query)
    else:
        assert parse(query).series == wanted


def test_prometheus_reads_the_same_queries(tmp_path: Path) -> None:
    refused = promtool.unread([query for query in READ if query], tmp_path)

    wanted = {query for query, series in READ.items() if series is None and query}
    assert refused - {NEWER} == wanted - {NO_VALUE}


@pytest.mark.parametrize(
    "query",
    [
        "rate(x[$__rate_interval])",
        'x{a="$a"}',
        "sum by ($b) (x)",
        "x > $limit",
        "x{a=~$a}",
        "rate(x[[[span]]])",
        "x offset ${ago}",
    ],
)
def test_variables_of_dashboards_stand_for_what_is_chosen(query: str) -> None:
    assert parse(query).series == {"x"}


def test_an_error_says_where_it_is() -> None:
    with pytest.raises(PromQLError, match="rate takes a range and not a vector") as caught:
        parse("sum(rate(x))")
    assert caught.value.at == 11
