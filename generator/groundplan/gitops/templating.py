"""How an ApplicationSet fills in its template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.gitops import gotemplate
from groundplan.gitops.scene import entries

_TAG = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Templating:
    """Go templates, or the older replacing of `{{name}}`."""

    go: bool
    strict: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Templating:
        """What an ApplicationSet's spec asks for."""
        options = [str(option) for option in entries(spec, "goTemplateOptions")]
        return cls(spec.get("goTemplate") is True, "missingkey=error" in options)

    def text(self, template: str, parameters: Mapping[str, Any]) -> str:
        """Fill in one text.

        Raises:
            TemplateError: when it cannot be filled in.
        """
        if self.go:
            return gotemplate.render(template, parameters, strict=self.strict)
        return _TAG.sub(lambda match: str(parameters.get(match[1], match[0])), template)

    def value(self, value: Any, parameters: Mapping[str, Any]) -> Any:
        """Fill in every text of a value, keys too.

        Raises:
            TemplateError: when one cannot be filled in.
        """
        if isinstance(value, str):
            return self.text(value, parameters) if "{{" in value else value
        if isinstance(value, Mapping):
            return {
                self.text(str(key), parameters): self.value(item, parameters)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item, parameters) for item in value]
        return value
