"""ConfigMaps and Secrets made from files and literals, and the hash in their names."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from groundplan.kustomize.items import Item, Items
from groundplan.kustomize.problems import RefusedError
from groundplan.kustomize.scalars import text

if TYPE_CHECKING:
    from groundplan.resources import Origin

Read = Callable[[str], bytes]
"""Gives the content of a file named in the kustomization."""

NOTHING_TO_CHANGE = "nothing-to-change"
"""The kind of problem of a generator that changes an object which is not there."""

_LINE = 70
_REWRITTEN = str.maketrans("013ae", "ghkmt")
_ESCAPED = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)


def make(
    kind: str, entry: Mapping[str, Any], shared: Mapping[str, Any], read: Read, origin: Origin
) -> Item:
    """Generate one ConfigMap or Secret.

    Raises:
        RefusedError: when an entry is not valid.
    """
    options = _options(entry.get("options", {}), shared)
    name = entry.get("name", "")
    if not name:
        raise RefusedError(f"a generated {kind} must have a name")
    metadata: dict[str, Any] = {"name": name}
    if entry.get("namespace"):
        metadata["namespace"] = entry["namespace"]
    body: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    if kind == "Secret":
        body["type"] = entry.get("type") or "Opaque"
    values = _values(entry, read, name)
    if kind == "Secret":
        body["data"] = {key: _encoded(values[key]) for key in sorted(values)}
    else:
        body.update(_config_map_data(values))
    for where in ("labels", "annotations"):
        if options.get(where):
            metadata[where] = dict(sorted(options[where].items()))
    if options.get("immutable"):
        body["immutable"] = True
    hashed = not options.get("disableNameSuffixHash")
    behavior = entry.get("behavior", "")
    return Item(body, origin, behavior=behavior, generated=True, needs_hash=hashed, styled=True)


def absorb(items: Items, item: Item) -> None:
    """Add a generated object, or put it into the one that it merges with or replaces.

    Raises:
        RefusedError: when the object to merge with is missing, or is there without being asked for.
    """
    found = items.any_id(item.id.equals)
    if len(found) > 1:
        raise RefusedError(f"several objects could take the generated {item.id}")
    if not found:
        if item.behavior in ("merge", "replace"):
            message = f"{item.id} does not exist; its generator cannot {item.behavior}"
            raise RefusedError(message, NOTHING_TO_CHANGE)
        items.append(item)
        return
    if item.behavior not in ("merge", "replace"):
        raise RefusedError(f"{item.id} exists; the generator's behavior must be merge or replace")
    old = found[0]
    _inherit(item, old)
    if item.behavior == "merge":
        for part in ("data", "binaryData"):
            merged = {**_merge_base(old, part), **_as_text(item.body.get(part))}
            item.body.pop(part, None)
            if merged:
                item.body[part] = dict(sorted(merged.items()))
    item.behavior = old.behavior
    items.members[items.members.index(old)] = item


def name_hash(body: Mapping[str, Any]) -> str:
    """The ten characters that kustomize adds to a generated object's name."""
    kind = body.get("kind")
    # kustomize looks for the name in a place where it never is, so the name does not count.
    parts = {"kind": kind, "name": "", "data": body.get("data", "")}
    if kind == "ConfigMap":
        optional = "binaryData"
    elif kind == "Secret":
        parts["type"] = body.get("type", "")
        optional = "stringData"
    else:
        raise RefusedError(f"the name of a {kind} gets no hash here", "unsupported")
    if isinstance(body.get(optional), dict):
        parts[optional] = body[optional]
    encoded = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(encoded.translate(_ESCAPED).encode()).hexdigest()
    return digest[:10].translate(_REWRITTEN)


def _options(own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**shared, **own}
    for where in ("labels", "annotations"):
        merged[where] = {**shared.get(where, {}), **own.get(where, {})}
    for switch in ("disableNameSuffixHash", "immutable"):
        merged[switch] = bool(own.get(switch) or shared.get(switch))
    return merged


def _values(entry: Mapping[str, Any], read: Read, name: str) -> dict[str, bytes]:
    pairs: list[tuple[str, bytes]] = []
    for source in entry.get("envs", ()):
        pairs.extend(_env_lines(read(source), source))
    pairs.extend(_literal(source) for source in entry.get("literals", ()))
    for source in entry.get("files", ()):
        key, path = _file_source(source)
        pairs.append((key, read(path)))
    result: dict[str, bytes] = {}
    for key, value in pairs:
        if key in result:
            raise RefusedError(f"{name} repeats the key `{key}`")
        result[key] = value
    return result


def _env_lines(content: bytes, source: str) -> list[tuple[str, bytes]]:
    result = []
    for number, line in enumerate(content.split(b"\n")):
        written = line.removesuffix(b"\r")
        if number == 0:
            written = written.removeprefix(b"\xef\xbb\xbf")
        try:
            decoded = written.decode().lstrip()
        except UnicodeDecodeError:
            raise RefusedError(f"line {number + 1} of {source} is not UTF-8") from None
        if not decoded or decoded.startswith("#"):
            continue
        key, _, value = decoded.partition("=")
        result.append((key, value.encode()))
    return result


def _literal(source: str) -> tuple[str, bytes]:
    key, equals, value = source.partition("=")
    if not equals or not key:
        raise RefusedError(f"`{source}` is no literal, which is written key=value")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return key, value.encode()


def _file_source(source: str) -> tuple[str, str]:
    if "=" not in source:
        return source.rpartition("/")[2], source
    key, _, path = source.partition("=")
    if not key or not path or "=" in path:
        raise RefusedError(f"`{source}` is no file source, which is written path or key=path")
    return key, path


def _config_map_data(values: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key in sorted(values):
        try:
            data[key] = values[key].decode()
        except UnicodeDecodeError:
            binary[key] = _encoded(values[key])
    result = {"data": data, "binaryData": binary}
    return {part: entries for part, entries in result.items() if entries}


def _encoded(value: bytes) -> str:
    """Base64, in lines when it is long."""
    encoded = base64.b64encode(value).decode()
    if len(encoded) < _LINE:
        return encoded
    return "".join(f"{encoded[i : i + _LINE]}\n" for i in range(0, len(encoded), _LINE))


def _inherit(item: Item, old: Item) -> None:
    """Take over the name and the metadata of the object that is merged with or replaced."""
    metadata: dict[str, Any] = {"name": old.name}
    if old.namespace:
        metadata["namespace"] = old.namespace
    for where in ("labels", "annotations"):
        merged = {**old.strings(where), **item.strings(where)}
        if merged:
            metadata[where] = merged
    item.body["metadata"] = metadata
    item.former, item.prefixes, item.suffixes = old.former, old.prefixes, old.suffixes
    item.needs_hash = item.needs_hash and old.needs_hash
    item.generated = old.generated


def _merge_base(old: Item, part: str) -> dict[str, str]:
    base = _as_text(old.body.get(part))
    if part == "data" and old.gvk.kind == "Secret":
        plain = _as_text(old.body.get("stringData"))
        base |= {key: _encoded(value.encode()) for key, value in plain.items()}
    return base


def _as_text(values: Any) -> dict[str, str]:
    return {k: text(v) for k, v in values.items()} if isinstance(values, dict) else {}
