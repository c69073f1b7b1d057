"""Schemas of Kubernetes objects, CRDs and chart defaults, each with its provenance."""

from groundplan.schemas.chart_values import ValuesVerdict, unknown_values
from groundplan.schemas.charts import ChartDefaults, ChartStore
from groundplan.schemas.provenance import LeftOut, Missing, Provenance
from groundplan.schemas.store import Errors, KindId, Schema, SchemaStore
from groundplan.schemas.stores import default_charts, default_store

__all__ = [
    "ChartDefaults",
    "ChartStore",
    "Errors",
    "KindId",
    "LeftOut",
    "Missing",
    "Provenance",
    "Schema",
    "SchemaStore",
    "ValuesVerdict",
    "default_charts",
    "default_store",
    "unknown_values",
]
