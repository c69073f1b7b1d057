"""Speaks to one API server over kept connections, many requests at a time."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from groundplan.errors import ToolError
from groundplan.runners.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

IN_FLIGHT = 32
"""Requests under way at once: enough to hide etcd's latency, below the server's own limits."""

REQUEST_TIMEOUT = 60.0
"""Seconds; the API server itself gives up after as many."""

_PASSING = frozenset({429, 502, 503, 504})
"""500 is not among them: server-side apply answers with it when a field has the wrong type."""
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the API."""

    method: str
    path: str
    """With the query."""
    body: Any = None
    """Sent as JSON when it is not None."""
    content_type: str = "application/json"
    accept: str = "application/json"
    user: str = ""
    """Whom to act as, such as `system:serviceaccount:shop:reconciler`; oneself when empty."""
    groups: tuple[str, ...] = ()
    """The groups of that user."""


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    content: bytes
    warnings: tuple[str, ...] = ()

    @cached_property
    def body(self) -> Any:
        """The content as decoded JSON; as text when it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return self.content.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the request was accepted."""
        return self.status < 300

    @property
    def message(self) -> str:
        """The reason of a refusal in the server's words."""
        said = self.body.get("message") if isinstance(self.body, dict) else self.body
        return str(said or f"HTTP status {self.status}").strip()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an API server is, how to know it, and who asks."""

    port: int
    certificate: Path
    """The only one that is trusted."""
    token: str = ""
    client_certificate: Path | None = None
    """Says who asks where there is no token; its file holds the key too."""
    host: str = "127.0.0.1"


class Client:
    """Authenticated calls to one API server. Use as a context manager."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ensure_alive: Callable[[], None],
        deadline: float = float("inf"),
        timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self._host, self._port = endpoint.host, endpoint.port
        # An address of IPv6 stands in brackets.
        self._named = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        # Trusts this certificate and no other. create_default_context would add strict rules that
        # the server's self-signed certificate does not follow.
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_verify_locations(endpoint.certificate)
        if endpoint.client_certificate is not None:
            self._tls.load_cert_chain(endpoint.client_certificate)
        self._authorization = (
            f"Authorization: Bearer {endpoint.token}\r\n" if endpoint.token else ""
        )
        self._ensure_alive = ensure_alive
        self._deadline = deadline
        self._timeout = timeout
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._pool = ThreadPoolExecutor(IN_FLIGHT, "api")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def send(self, request: Request, *, attempts: int = 6) -> Answer:
        """Make one call, again when the server asks for patience.

        Raises:
            ToolError: `apiserver.ended` or `apiserver.unreachable` when no answer came,
                `verify.timeout` when the time for everything is over.
        """
        for attempt in range(attempts):
            if time.monotonic() > self._deadline:
                raise ToolError(
                    "verify.timeout",
                    "the time for verifying is over",
                    fix="give it more with --timeout",
                )
            try:
                answer = self._call(request)
            except (OSError, ValueError) as error:
                self._connection().close()
                self._ensure_alive()
                if attempt + 1 == attempts:
                    raise ToolError(
                        "apiserver.unreachable",
                        f"the API server does not answer: {error}",
                        fix="try again",
                    ) from error
            else:
                if answer.status not in _PASSING:
                    return answer
                self._ensure_alive()
            time.sleep(0.1 * 2**attempt)
        return answer

    def send_all(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Make many calls at a time; answers come in the order of the requests."""
        return self._pool.map(self.send, requests)

    def get(self, path: str, accept: str = "application/json") -> Answer:
        """Read something."""
        return self.send(Request("GET", path, accept=accept))

    def _call(self, request: Request) -> Answer:
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\nHost: {self._named}\r\n"
            f"{self._authorization}"
            f"Accept: {request.accept}\r\nContent-Type: {request.content_type}\r\n"
        )
        if request.user:
            head += f"Impersonate-User: {request.user}\r\n"
            head += "".join(f"Impersonate-Group: {group}\r\n" for group in request.groups)
        body = b"" if request.body is None else json.dumps(request.body).encode()
        status, headers, content = self._connection().call(head.encode("ascii"), body)
        warnings = tuple(
            _unquote(text)
            for name, value in headers
            if name == b"warning"
            for text in _WARNING.findall(value.decode("utf-8", "replace"))
        )
        return Answer(status, content, warnings)

    def _connection(self) -> Connection:
        """This thread's connection."""
        kept: Connection | None = getattr(self._local, "connection", None)
        if kept is None:
            kept = Connection(self._host, self._port, self._tls, self._timeout)
            self._local.connection = kept
            self._connections.append(kept)
        return kept


def _unquote(text: str) -> str:
    """Undo the quoting of a header's text."""
    return re.sub(r"\\(.)", r"\1", text)


def apply(path: str, body: Mapping[str, Any], *, dry_run: bool) -> Request:
    """Server-side apply of one object, with every unknown field refused."""
    query = "fieldManager=groundplan&fieldValidation=Strict&force=true"
    dry = "&dryRun=All" if dry_run else ""
    return Request("PATCH", f"{path}?{query}{dry}", body, "application/apply-patch+yaml")
