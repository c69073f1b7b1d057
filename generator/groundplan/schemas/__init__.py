"""Schemas of Kubernetes objects, CRDs and chart defaults, each with its provenance."""

from groundplan.schemas.provenance import LeftOut, Missing, Provenance
from groundplan.schemas.store import Errors, KindId, Schema, SchemaStore
from groundplan.schemas.stores import default_store

__all__ = [
    "Errors",
    "KindId",
    "LeftOut",
    "Missing",
    "Provenance",
    "Schema",
    "SchemaStore",
    "default_store",
]
