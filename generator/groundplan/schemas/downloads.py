"""Release files over https, with limits."""

from __future__ import annotations

import urllib.request
from http.client import HTTPException

from groundplan.schemas.provenance import Missing

LIMIT = 32 * 1024 * 1024
"""Bytes of one file."""
_SECONDS = 10

_HANDLERS: tuple[type[urllib.request.BaseHandler], ...] = (
    urllib.request.ProxyHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.UnknownHandler,
)
"""Without one for plain http, a redirect that leads away from https fails."""


def get(url: str) -> bytes | Missing:
    """Return the content of an https address, or why it cannot be had."""
    if not url.startswith("https://"):
        return Missing(f"{url} was not tried: only https is")
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            content: bytes = answer.read(LIMIT + 1)
    except (OSError, HTTPException) as error:
        return Missing(f"{url} cannot be read: {error}")
    if len(content) > LIMIT:
        return Missing(f"{url} is larger than {LIMIT // 2**20} MiB")
    return content
