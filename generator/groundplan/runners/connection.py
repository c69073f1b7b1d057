"""One kept HTTP/1.1 connection to a server that is trusted to speak it well.

The standard library's client parses every answer's headers as e-mail, which takes longer than the
API server takes to answer.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from typing import BinaryIO


class Connection:
    """A connection that is opened when it is first used.

    Every method raises `OSError` when the server is not there or does not keep to the protocol.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, timeout: float) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout = timeout
        self._socket: ssl.SSLSocket | None = None
        self._stream: BinaryIO | None = None

    def call(self, head: bytes, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Send a request; give the answer's status, headers (lower case) and body.

        `head` is the request line and the headers, each ending with a line break, without the
        length of the body.
        """
        if self._socket is None:
            raw = socket.create_connection((self._host, self._port), self._timeout)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._tls.wrap_socket(raw, server_hostname=self._host)
            self._stream = self._socket.makefile("rb")
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        self._socket.sendall(b"".join((head, length, body)))
        return self._receive()

    def close(self) -> None:
        """Hang up. The next call connects anew."""
        if self._stream is not None:
            self._stream.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._stream = None

    def _receive(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        version, _, rest = self._line().partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise ConnectionError("the server does not speak HTTP/1.1")
        headers = []
        while line := self._line():
            name, _, value = line.partition(b":")
            headers.append((name.lower(), value.strip()))
        known = dict(headers)
        if known.get(b"transfer-encoding") == b"chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self._exactly(int(known.get(b"content-length", b"0")))
        if known.get(b"connection") == b"close":
            self.close()
        return int(rest[:3]), headers, body

    def _chunk(self) -> bytes:
        data = self._exactly(int(self._line().partition(b";")[0], 16))
        self._line()
        return data

    def _line(self) -> bytes:
        line = self._stream.readline() if self._stream else b""
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the server hung up")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size) if self._stream and size else b""
        if len(data) < size:
            raise ConnectionResetError("the server hung up")
        return data
