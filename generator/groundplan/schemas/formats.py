"""What Kubernetes' number and string formats accept, said as JSON schema keywords.

Patterns and limits are used instead of `format`, which every JSON schema engine reads differently.
"""

from __future__ import annotations

from typing import Any

QUANTITY = (
    r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
    r"([KMGTPE]i|[numkMGTPE]|[eE][+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+))?$"
)
DATE_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
BASE64 = r"^[A-Za-z0-9+/\r\n]*=?[\r\n]*=?[\r\n]*$"

_INT32 = 2**31
_PATTERNS = {"date-time": DATE_TIME, "byte": BASE64}

PLAIN_WORDS = {
    QUANTITY: "a quantity such as 500m or 2Gi",
    DATE_TIME: "a time such as 2026-01-31T08:00:00Z",
    BASE64: "base64",
}
"""What to call the patterns of this module in a message."""


def constrain(node: dict[str, Any], format: str | None) -> dict[str, Any]:
    """Return a schema with the limits that a format adds to it; unknown formats add none."""
    if format == "int32":
        low = max(-_INT32, node.get("minimum", -_INT32))
        high = min(_INT32 - 1, node.get("maximum", _INT32))
        return {**node, "minimum": low, "maximum": high}
    if pattern := _PATTERNS.get(format or ""):
        if "pattern" in node:
            return {**node, "allOf": [*node.get("allOf", ()), {"pattern": pattern}]}
        return {**node, "pattern": pattern}
    return node
