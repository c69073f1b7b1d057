"""kubeconform as a second opinion on objects, with the schemas of our own store."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.errors import ToolError
from groundplan.process import Command
from groundplan.schemas import Schema
from groundplan.schemas.packs import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from groundplan.schemas import KindId, SchemaStore

_LOCATION = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
_ERROR = re.compile(r"- at '([^']*)': (.+?)(?=\s+- at '|$)")
_NO_SCHEMA = "could not find schema"


class Status(StrEnum):
    """What kubeconform says about one document."""

    VALID = "valid"
    INVALID = "invalid"
    NO_SCHEMA = "no-schema"
    ERROR = "error"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One document's result."""

    status: Status
    message: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    """JSON pointers and kubeconform's own words."""


def judge(
    program: Path, documents: Sequence[bytes], store: SchemaStore, kinds: Iterable[KindId]
) -> tuple[Judgement, ...]:
    """Validate documents with one kubeconform process and return a judgement on each, in order.

    Args:
        program: The kubeconform executable.
        documents: YAML or JSON texts of one object each.
        store: Where the schemas come from.
        kinds: The kinds of the documents; those without a schema are judged `NO_SCHEMA`.

    Raises:
        ToolError: `tool.failed`, `tool.timeout`, `tool.output`, or `kubeconform.unreadable` when
            its output is not what version 0.8 writes.
    """
    with tempfile.TemporaryDirectory(prefix="groundplan-kubeconform-") as temporary:
        schemas, manifests = Path(temporary, "schemas"), Path(temporary, "manifests")
        manifests.mkdir()
        write_schemas(schemas, store, kinds)
        for number, document in enumerate(documents):
            (manifests / f"{number}.yaml").write_bytes(document)
        # A kind without a schema is an error here: -ignore-missing-schemas would let it pass.
        # Each of several workers would compile the large schemas for itself, which takes longest.
        options = ("-strict", "-output", "json", "-verbose", "-n", "1")
        location = ("-schema-location", f"{schemas}/{_LOCATION}")
        argv = (str(program), *options, *location, str(manifests))
        completed = Command(argv, timeout=600, ok=(0, 1)).run()
    found = _judgements(completed.stdout, completed.stderr)
    return tuple(found.get(number, Judgement(Status.EMPTY)) for number in range(len(documents)))


def write_schemas(folder: Path, store: SchemaStore, kinds: Iterable[KindId]) -> None:
    """Write the schemas of some kinds where kubeconform looks for them."""
    for kind in sorted(set(kinds)):
        schema = store.lookup(*kind)
        if isinstance(schema, Schema):
            # kubeconform takes the version of the core group for its name.
            group = kind.group or kind.version
            path = folder / group / f"{kind.kind.lower()}_{kind.version}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(canonical(dict(schema.document)))


def _judgements(stdout: bytes, stderr: bytes) -> dict[int, Judgement]:
    try:
        listed = json.loads(stdout)["resources"]
        return {int(Path(entry["filename"]).stem): _judgement(entry) for entry in listed}
    except (ValueError, KeyError, TypeError) as error:
        said = stderr.decode("utf-8", "replace").strip() or str(error)
        raise ToolError(
            "kubeconform.unreadable",
            f"kubeconform did not write its results: {said[-500:]}",
            fix="use kubeconform 0.8 or newer",
        ) from error


def _judgement(entry: dict[str, Any]) -> Judgement:
    message = str(entry.get("msg", ""))
    # Its own list of errors holds the outermost only; the message has all of them.
    found = ((at, said) for at, said in _ERROR.findall(message) if not said.endswith(" failed"))
    errors = tuple(sorted(found))
    match entry["status"]:
        case "statusValid":
            return Judgement(Status.VALID)
        case "statusInvalid":
            return Judgement(Status.INVALID, message, errors)
        case "":
            return Judgement(Status.EMPTY)
        case _ if message.startswith(_NO_SCHEMA):
            return Judgement(Status.NO_SCHEMA, message)
        case _:
            return Judgement(Status.ERROR, message)
