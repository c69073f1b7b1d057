"""Templates' compiled code, kept for the next render: in this process, and in the user's cache."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

import groundplan

if TYPE_CHECKING:
    from types import CodeType

_codes: dict[str, CodeType] = {}
_stored: set[str] = set()
_LIMIT = 4000
"""Codes kept on disk; a template has some hundred."""


def remember(environment: Any) -> None:
    """Let an environment compile what was never compiled before, and nothing else."""
    compile_template = environment.compile
    settings = repr(
        (
            [getattr(environment, name) for name in _SYNTAX],
            sorted(environment.extensions),
            type(environment).__qualname__,
        )
    )
    if not _codes:
        _load()

    def compile_once(
        source: Any, name: str | None = None, filename: str | None = None, **options: Any
    ) -> Any:
        if options or not isinstance(source, str):
            return compile_template(source, name, filename, **options)
        text = "\0".join((settings, name or "", filename or "", source))
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in _codes:
            _codes[key] = compile_template(source, name, filename)
        return _codes[key]

    environment.compile = compile_once


def save() -> None:
    """Keep what this process compiled, where the user's cache can be written to."""
    if _codes.keys() <= _stored:
        return
    kept = dict(list(_codes.items())[-_LIMIT:])
    content = marshal.dumps(kept)
    with suppress(OSError, RuntimeError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
            written.write(hashlib.sha256(content).digest() + content)
        Path(written.name).replace(file)
        _stored.update(kept)


_SYNTAX = (
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "line_statement_prefix",
    "line_comment_prefix",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "keep_trailing_newline",
)
"""Settings that change what a template compiles to."""


def _load() -> None:
    with suppress(OSError, RuntimeError, ValueError, EOFError, TypeError):
        content = _file().read_bytes()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            _codes.update(marshal.loads(content[32:]))  # noqa: S302 - written above, by this user
            _stored.update(_codes)


def _file() -> Path:
    """Codes of another Python, Jinja or groundplan are never read."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    versions = (groundplan.__version__, jinja2.__version__, str(sys.implementation.cache_tag))
    return root / "groundplan" / "templates" / "-".join(versions)
