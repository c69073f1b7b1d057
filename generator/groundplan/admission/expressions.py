"""The expressions of admission policies, evaluated in process; the only import of a CEL engine.

Language: https://kubernetes.io/docs/reference/using-api/cel/. What the engine does not have (some
of Kubernetes' own libraries) and what fails on an object that nobody defaulted is `Unknown`, never
an answer.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLES = ("object", "oldObject", "request", "namespaceObject", "params", "variables")
INSTALL = "install it with `pip install groundplan[policies]`"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why an expression has no value here."""

    reason: str


def evaluate(expression: str, data: Mapping[str, Any]) -> Any:
    """The value of an expression as plain data, or `Unknown`.

    Args:
        expression: In CEL, as a policy has it.
        data: What the variables hold; those of `VARIABLES` that are left out are null.
    """
    compiled = _compiled(expression)
    if isinstance(compiled, Unknown):
        return compiled
    value = compiled.eval(data={**dict.fromkeys(VARIABLES), **data})
    if value.type().name() in {"ERROR", "UNKNOWN", "*error*"}:
        return Unknown(str(value.plain_value()))
    return value.plain_value()


@cache
def _compiled(expression: str) -> Any:
    environment = _environment()
    if isinstance(environment, Unknown):
        return environment
    try:
        return environment.compile(expression)
    except RuntimeError as error:
        return Unknown(str(error).splitlines()[0].rpartition(": ")[2])


@cache
def _environment() -> Any:
    """Kubernetes' environment, as far as the engine goes."""
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings
    except ImportError:
        return Unknown(f"the engine for such expressions is not there; {INSTALL}")
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings(), ext_bindings.ExtBindings()]
    variables = dict.fromkeys(VARIABLES, cel.Type.DYN)
    return cel.NewEnv(variables=variables, extensions=extensions, functions=_library(cel))


def _library(cel: Any) -> list[Any]:
    """Of Kubernetes' own functions those about addresses.

    The engine takes no types of ours, so an address is a map that says what it is.
    """
    text, number, truth = cel.Type.STRING, cel.Type.INT, cel.Type.BOOL
    address = cel.Type.Map(text, cel.Type.DYN)

    def function(name: str, takes: list[Any], gives: Any, run: Callable[..., Any]) -> Any:
        member = takes[0] == address
        overload = cel.Overload(
            id=name, return_type=gives, parameters=takes, is_member=member, impl=run
        )
        return cel.FunctionDecl(name, [overload])

    return [
        function("cidr", [text], address, lambda said: {"is": said}),
        function("prefixLength", [address], number, lambda said: _network(said).prefixlen),
        function("ip", [address], address, lambda said: {"is": str(_network(said)[0])}),
        function("family", [address], number, lambda said: _network(said).version),
        function(
            "containsIP",
            [address, text],
            truth,
            lambda said, ip: ipaddress.ip_address(ip) in _network(said),
        ),
    ]


def _network(said: Mapping[str, str]) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(said["is"], strict=False)
