"""Executes Go templates on values out of YAML, with the functions that Argo CD offers."""

from __future__ import annotations

import functools
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from groundplan.gitops.gofunctions import FUNCTIONS, shown, truth
from groundplan.gitops.gotemplate_syntax import (
    Access,
    Block,
    Call,
    Literal,
    Pipeline,
    TemplateError,
    Text,
    UnknownError,
    Variable,
    parse,
)

__all__ = ["TemplateError", "UnknownError", "render"]

_MISSING = object()
Scope = ChainMap[str, Any]
"""Variables; the innermost block first."""
_parsed = functools.lru_cache(maxsize=512)(parse)


def render(template: str, data: Mapping[str, Any], *, strict: bool = False) -> str:
    """Execute a template.

    Args:
        template: Its text.
        data: What `.` is.
        strict: Whether a missing key is an error (`missingkey=error`).

    Raises:
        TemplateError: when Go would refuse it; `UnknownError` when only this package does.
    """
    if "{{" not in template:
        return template
    out: list[str] = []
    _Execution(data, strict, out).run(_parsed(template), data, ChainMap({"$": data}))
    return "".join(out)


class _Execution:
    def __init__(self, data: Any, strict: bool, out: list[str]) -> None:
        self._strict = strict
        self._out = out
        self._data = data

    def run(self, nodes: tuple[Any, ...], dot: Any, scope: Scope) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._out.append(node.text)
            elif isinstance(node, Block):
                self._block(node, dot, scope.new_child())
            else:
                value = self._pipeline(node, dot, scope)
                if not node.names:
                    self._out.append("<no value>" if value is _MISSING else shown(value))

    def _block(self, block: Block, dot: Any, scope: Scope) -> None:
        if block.keyword == "range":
            self._range(block, dot, scope)
            return
        value = self._pipeline(block.pipeline, dot, scope)
        if truth(None if value is _MISSING else value):
            self.run(block.body, value if block.keyword == "with" else dot, scope)
        else:
            self.run(block.otherwise, dot, scope)

    def _range(self, block: Block, dot: Any, scope: Scope) -> None:
        plain = Pipeline(block.pipeline.commands)
        value = self._pipeline(plain, dot, scope)
        pairs: list[tuple[Any, Any]]
        if isinstance(value, Mapping):
            pairs = sorted(value.items())
        elif isinstance(value, list):
            pairs = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs = [(i, i) for i in range(value)]
        elif value is None or value is _MISSING:
            pairs = []
        else:
            raise TemplateError(f"range can't iterate over {shown(value)}")
        names = block.pipeline.names
        for key, item in pairs:
            inner = scope.new_child()
            if len(names) == 2:
                inner[names[0]], inner[names[1]] = key, item
            elif names:
                inner[names[0]] = item
            self.run(block.body, item, inner)
        if not pairs:
            self.run(block.otherwise, dot, scope)

    def _pipeline(self, pipeline: Pipeline, dot: Any, scope: Scope) -> Any:
        value = self._command(pipeline.commands[0], dot, scope, ())
        for command in pipeline.commands[1:]:
            value = self._command(command, dot, scope, (value,))
        for name in pipeline.names:
            frame = scope.maps[0]
            if not pipeline.declares:
                holders = (known for known in scope.maps if name in known)
                frame = next(holders, frame)
                if name not in frame:
                    raise TemplateError(f"undefined variable: {name}")
            frame[name] = value
        return value

    def _command(self, node: Any, dot: Any, scope: Scope, piped: tuple[Any, ...]) -> Any:
        if isinstance(node, Call):
            return self._call(node, dot, scope, piped)
        if piped:
            raise TemplateError("can't give argument to non-function")
        return self._value(node, dot, scope)

    def _call(self, node: Call, dot: Any, scope: Scope, piped: tuple[Any, ...]) -> Any:
        if node.function in ("and", "or"):
            return self._short_circuit(node, dot, scope, piped)
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise UnknownError(f"the function {node.function} is not known")
        arguments = [self._value(argument, dot, scope) for argument in node.arguments]
        arguments.extend(piped)
        try:
            return function(*(None if value is _MISSING else value for value in arguments))
        except TemplateError:
            raise
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise TemplateError(f"error calling {node.function}: {error}") from error

    def _short_circuit(self, node: Call, dot: Any, scope: Scope, piped: tuple[Any, ...]) -> Any:
        value: Any = None
        for argument in (*node.arguments, *(Literal(value) for value in piped)):
            value = self._value(argument, dot, scope)
            if truth(None if value is _MISSING else value) is (node.function == "or"):
                break
        return value

    def _value(self, node: Any, dot: Any, scope: Scope) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Variable):
            if node.name == ".":
                return dot
            if node.name not in scope:
                raise TemplateError(f"undefined variable: {node.name}")
            return scope[node.name]
        if isinstance(node, Pipeline):
            return self._pipeline(node, dot, scope.new_child())
        if isinstance(node, Access):
            return self._fields(self._value(node.of, dot, scope), node.fields)
        return self._call(node, dot, scope, ())

    def _fields(self, value: Any, fields: tuple[str, ...]) -> Any:
        for name in fields:
            if value is _MISSING:
                return value
            if value is None:
                raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
            if not isinstance(value, Mapping):
                raise TemplateError(f"can't evaluate field {name} in {shown(value)}")
            if name not in value:
                if self._strict:
                    raise TemplateError(f'map has no entry for key "{name}"')
                value = _MISSING
            else:
                value = value[name]
        return value
