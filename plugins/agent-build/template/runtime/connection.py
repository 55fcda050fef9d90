"""HTTP/1.1 on one connection: what two paths with JSON bodies need, and no more.

The standard library's server brings mail, TLS and file transfer along: 40 modules, a third of an agent's start.
"""
from __future__ import annotations

import json
import select
import socket
import time
from typing import Any, Dict, Optional

from runtime.protocol import MAX_BODY, BadRequest

IDLE_SECONDS = 75
MAX_LINE = 64 * 1024
MAX_HEADERS = 100
# Headers and body leave in one piece; a stream flushes every frame.
WRITE_BUFFER = 64 * 1024
# Of these a second one would make two readers see two requests.
SINGLE = ("authorization", "content-length", "host", "transfer-encoding")
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type", 431: "Request Header Fields Too Large",
           500: "Internal Server Error", 503: "Service Unavailable", 505: "HTTP Version Not Supported"}


class Connection:
    """A client's socket, the request that was read last, and ways to answer it."""

    def __init__(self, client: socket.socket) -> None:
        client.settimeout(IDLE_SECONDS)
        if client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._client = client
        self._input = client.makefile("rb")
        self._output = client.makefile("wb", WRITE_BUFFER)
        self.method = self.path = ""
        self.headers: Dict[str, str] = {}
        self.close = False
        self._unread = False
        self._old = False
        self._chunked = False

    def finish(self) -> None:
        """Let go of the socket."""
        for end in (self._output, self._input):
            try:
                end.close()
            except OSError:
                pass  # the client left with something unsent

    def is_left(self) -> bool:
        """True when the client has closed its side: nobody waits for the answer."""
        poll = select.poll()
        poll.register(self._client, select.POLLIN)
        try:
            return bool(poll.poll(0)) and self._client.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def read_request(self) -> bool:
        """Read the next request but for its body; False when the client has no more. Raises BadRequest."""
        # Until it is understood: what follows a request that is not cannot be told from it.
        self.close, self.method, self.path, self.headers, self._old = True, "", "", {}, True
        line = self._line()
        if line == "\r\n":  # some clients end a body with it
            line = self._line()
        if not line:
            return False
        words = line.split()
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise BadRequest("the first line is no HTTP request")
        if words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise BadRequest("HTTP/1.1 is spoken here", 505)
        self.method, self.path, self._old = words[0], words[1].split("?")[0], words[2] == "HTTP/1.0"
        self._read_headers()
        wish = self.headers.get("connection", "").lower()
        self.close = "close" in wish or (self._old and "keep-alive" not in wish)
        self._unread = "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"
        return True

    def _read_headers(self) -> None:
        for _ in range(MAX_HEADERS + 1):
            line = self._line()
            if not line:
                raise BadRequest("the request ends in its headers")
            if line in ("\r\n", "\n"):
                return
            name, colon, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if not colon or not name or name != name.strip():
                raise BadRequest("a header without a name")
            if name not in self.headers:
                self.headers[name] = value
            elif name in SINGLE:
                raise BadRequest("the header %s is given twice" % name)
            else:
                self.headers[name] += ", " + value
        raise BadRequest("too many headers", 431)

    def _line(self) -> str:
        line = self._input.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise BadRequest("a line of the request is too long", 431)
        return line.decode("iso-8859-1")

    def body(self) -> bytes:
        """The request's body. Raises BadRequest."""
        length = self.headers.get("content-length", "")
        if "transfer-encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise BadRequest("a Content-Length is needed", 411)
        if len(length) > 16 or int(length) > MAX_BODY:
            raise BadRequest("the body is larger than %d bytes" % MAX_BODY, 413)
        if self.headers.get("expect", "").lower() == "100-continue" and not self._old:
            self._output.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._output.flush()
        self._unread = False
        return self._input.read(int(length))

    def _head(self, status: int, headers: Dict[str, str]) -> None:
        # What follows an unread body cannot be told from it.
        self.close = self.close or self._unread
        if self.close:
            headers["Connection"] = "close"
        elif self._old:
            headers["Connection"] = "keep-alive"
        headers["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, ""))]
        lines += ["%s: %s" % (name, value.replace("\r", " ").replace("\n", " ")) for name, value in headers.items()]
        self._output.write(("\r\n".join(lines) + "\r\n\r\n").encode("iso-8859-1", "replace"))

    def answer(self, status: int, value: Any, more: Optional[Dict[str, str]] = None) -> None:
        """Answer with JSON."""
        data = json.dumps(value, ensure_ascii=False).encode("utf-8")
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(data)), **(more or {})})
        self._output.write(data)
        self._output.flush()

    def begin_stream(self, more: Dict[str, str]) -> None:
        """Begin an answer of frames (SSE)."""
        self._chunked = not self._old
        self.close = self.close or not self._chunked
        framing = {"Transfer-Encoding": "chunked"} if self._chunked else {}
        self._head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", **framing, **more})

    def frame(self, event: Dict[str, Any]) -> None:
        """Send one frame at once."""
        data = ("data: %s\n\n" % json.dumps(event, ensure_ascii=False)).encode("utf-8")
        self._output.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        self._output.flush()

    def end_stream(self) -> None:
        """No more frames come."""
        if self._chunked:
            self._output.write(b"0\r\n\r\n")
        self._output.flush()
