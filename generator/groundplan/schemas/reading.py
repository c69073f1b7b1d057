"""Upstream YAML as data, read the way Kubernetes reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOREIGN = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
"""Tags that YAML 1.1 resolves and Kubernetes reads as strings: dates and `=`."""


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own class attribute, not ours to annotate)
        first: [rule for rule in rules if rule[0] not in _FOREIGN]
        for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def objects(text: str | bytes) -> Iterator[dict[str, Any]]:
    """Yield the mappings among the documents of a text, the items of a `List` one by one.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    for document in yaml.load_all(text, Loader=_Loader):
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from (item for item in document["items"] if isinstance(item, dict))
        else:
            yield document


def document(text: str | bytes) -> Any:
    """Return the only document of a text.

    Raises:
        yaml.YAMLError: The text is not one YAML document.
    """
    documents = list(yaml.load_all(text, Loader=_Loader))
    if len(documents) > 1:
        raise yaml.YAMLError(f"{len(documents)} documents where one is expected")
    return documents[0] if documents else None
