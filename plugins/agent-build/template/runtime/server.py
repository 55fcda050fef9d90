"""The HTTP server: `POST /invocations` (JSON or SSE) and `GET /ping`.

It serves on the socket that it was handed (descriptor 3, told as systemd tells it), else on HOST and PORT. With
AGENT_TOKEN only who names the token is answered; on the loopback interface no page of a browser is.
One thread per connection, HTTP/1.1 with keep-alive. SIGTERM and SIGINT stop it:
no new connection is taken, running answers get up to two seconds, exit code 0.
Logs are JSON lines on stderr; stdout gets one line with the address once it listens.
"""
from __future__ import annotations

import hmac
import json
import logging
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Iterable, Optional

from runtime.engine import OfflineEngine
from runtime.protocol import MAX_BODY, SESSION_HEADER, BadRequest, failure, gather, read_invocation
from runtime.registry import Agent
from runtime.sessions import Session, SessionStore

DRAIN_SECONDS = 2.0
MAX_RUNNING = 64
HANDED_OVER = 3
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")

log = logging.getLogger("agent.server")


class AgentServer(ThreadingHTTPServer):
    """The listening socket with what all requests share."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listener: Optional[socket.socket], engine: Any) -> None:
        # Not TCPServer's own, which makes a socket. Without one, connections are given to finish_request.
        name = listener.getsockname() if listener else ""
        socketserver.BaseServer.__init__(self, name, Handler)
        if listener:
            self.socket = listener
        self.server_name, self.server_port = name[:2] if isinstance(name, tuple) else ("agent", 0)
        self.token = os.environ.get("AGENT_TOKEN", "")
        self.only_local = self.server_name in LOOPBACK
        self.engine = engine
        self.sessions = SessionStore()
        self._lock = threading.Lock()
        self._running = 0
        self._status = "Healthy"
        self._status_since = int(time.time())

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("connection from %s ended: %s", client_address, sys.exc_info()[1])

    def begin(self) -> bool:
        """Count one more running answer; False when there are too many already."""
        with self._lock:
            if self._running >= MAX_RUNNING:
                return False
            self._running += 1
            self._note_status()
            return True

    def end(self) -> None:
        """One answer is finished."""
        with self._lock:
            self._running -= 1
            self._note_status()

    def _note_status(self) -> None:
        status = "HealthyBusy" if self._running else "Healthy"
        if status != self._status:
            self._status, self._status_since = status, int(time.time())

    def ping(self) -> Dict[str, Any]:
        """The state, and since when it is so."""
        with self._lock:
            return {"status": self._status, "time_of_last_update": self._status_since}

    def drain(self, seconds: float) -> None:
        """Wait until no answer runs any more, but not longer than this."""
        until = time.monotonic() + seconds
        while self._running and time.monotonic() < until:
            time.sleep(0.02)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "agent"
    sys_version = ""
    timeout = 75
    wbufsize = 64 * 1024  # headers and body leave in one piece; the stream flushes every frame
    server: AgentServer

    def setup(self) -> None:
        self.disable_nagle_algorithm = self.request.family != socket.AF_UNIX
        super().setup()

    def parse_request(self) -> bool:
        return super().parse_request() and self._may_come_in()

    def _may_come_in(self) -> bool:
        """Who may not is told so, and its connection is closed."""
        given = self.headers.get("Authorization", "")
        if self.server.token and not hmac.compare_digest(given.encode(), b"Bearer " + self.server.token.encode()):
            return self._turn_away(401, "the token of this run is needed")
        if not self.server.only_local:
            return True
        # Names that lead here, and pages of a browser on this machine.
        if self.headers.get("Host", "").rsplit(":", 1)[0].lower() not in LOOPBACK or self.headers.get("Origin"):
            return self._turn_away(403, "this agent answers programs of this machine only")
        kind = self.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if self.command == "POST" and kind != "application/json":
            return self._turn_away(415, "the body must be application/json")
        return True

    def _turn_away(self, status: int, why: str) -> bool:
        self.close_connection = True
        self._json(status, failure(PermissionError(why)))
        return False

    def do_GET(self) -> None:
        if self.path.split("?")[0] == "/ping":
            self._json(200, self.server.ping())
        else:
            self._json(404, failure(LookupError("no such path: " + self.path), "NotFound"))

    def do_POST(self) -> None:
        if self.path.split("?")[0] != "/invocations":
            self.close_connection = True
            self._json(404, failure(LookupError("no such path: " + self.path), "NotFound"))
            return
        try:
            invocation = read_invocation(self._body(), self.headers.get(SESSION_HEADER, ""))
        except BadRequest as error:
            self._json(error.status, failure(error))
            return
        if not self.server.begin():
            self._json(503, failure(RuntimeError("too many requests at once"), "Busy"))
            return
        try:
            session, is_new = self.server.sessions.get(invocation.session_id)
            with session.lock:
                if is_new and invocation.history:
                    self.server.engine.rebuild(session, invocation.history)
                events = self.server.engine.answer(invocation.prompt, session)
                if "text/event-stream" in self.headers.get("Accept", ""):
                    self._stream(events, session)
                else:
                    self._answer(events, session)
        finally:
            self.server.end()

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not length.isdigit():
            self.close_connection = True
            raise BadRequest("a Content-Length is needed", 411)
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise BadRequest("the body is larger than %d bytes" % MAX_BODY, 413)
        return self.rfile.read(int(length))

    def _answer(self, events: Iterable[Dict[str, Any]], session: Session) -> None:
        try:
            answer = gather(events, session.id)
        except Exception as error:
            log.exception("the answer failed")
            self._json(500, failure(error))
            return
        self._json(200, answer, session)

    def _stream(self, events: Iterable[Dict[str, Any]], session: Session) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header(SESSION_HEADER, session.id)
        chunked = self.request_version != "HTTP/1.0"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()
        try:
            for event in events:
                self._frame(event, chunked)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            raise
        except Exception as error:  # in mid-stream the failure goes in band
            log.exception("the stream failed")
            self._frame(failure(error), chunked)
        self._frame({"event": "done"}, chunked)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True
        self.wfile.flush()

    def _frame(self, event: Dict[str, Any], chunked: bool) -> None:
        data = ("data: %s\n\n" % json.dumps(event, ensure_ascii=False)).encode("utf-8")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        self.wfile.flush()

    def _json(self, status: int, value: Dict[str, Any], session: Optional[Session] = None) -> None:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if session is not None:
            self.send_header(SESSION_HEADER, session.id)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        log.info(format, *args)


class JsonLines(logging.Formatter):
    """One JSON object per log line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": round(record.created, 3), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def choose_engine(agent: Agent) -> Any:
    """The offline engine, or the one with a language model when the environment names a model."""
    if os.environ.get("MODEL_PROVIDER"):
        from runtime.model_engine import ModelEngine  # needs the packages of requirements.txt

        return ModelEngine(agent)
    return OfflineEngine(agent)


def listen() -> socket.socket:
    """The socket that was handed over, or one on HOST and PORT."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=HANDED_OVER)
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET, backlog=128)


def serve(folder: Path) -> int:
    """Serve the agent in this folder until a signal ends it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "WARNING").upper(), handlers=[handler])
    server = AgentServer(listen(), choose_engine(Agent(folder)))

    def stop(signum: int, frame: Any) -> None:
        # shutdown() waits for the serving loop, which runs on this very thread: ask from another.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        print(json.dumps({"event": "listening", "host": server.server_name, "port": server.server_port}), flush=True)
    except BrokenPipeError:
        pass  # nobody reads our output; serve all the same
    server.serve_forever(poll_interval=0.2)
    server.socket.close()
    server.drain(DRAIN_SECONDS)
    return 0
