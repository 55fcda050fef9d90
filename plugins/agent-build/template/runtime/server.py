"""The HTTP server: `POST /invocations` (JSON or SSE) and `GET /ping`.

It serves on the socket that it was handed (descriptor 3, told as systemd tells it), else on HOST and PORT. With
AGENT_TOKEN only who names the token is answered; on the loopback interface no page of a browser is.
One thread per connection, HTTP/1.1 with keep-alive. SIGTERM and SIGINT stop it:
no new connection is taken, running answers get up to two seconds, exit code 0.
Logs are JSON lines on stderr; stdout gets one line with the address once it listens.
"""
from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, Generator, Iterable, Optional

from runtime.connection import Connection
from runtime.engine import OfflineEngine
from runtime.protocol import SESSION_HEADER, BadRequest, failure, gather, read_invocation
from runtime.registry import Agent
from runtime.sessions import Session, SessionStore

DRAIN_SECONDS = 2.0
MAX_RUNNING = 64
HANDED_OVER = 3
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")

log = logging.getLogger("agent.server")


class AgentServer:
    """The listening socket with what all requests share. Without one, connections are given to `finish_request`."""

    def __init__(self, listener: Optional[socket.socket], engine: Any) -> None:
        self.listener = listener
        name = listener.getsockname() if listener else ""
        self.host, self.port = name[:2] if isinstance(name, tuple) else ("agent", 0)
        self.token = os.environ.get("AGENT_TOKEN", "")
        self.only_local = self.host in LOOPBACK
        self.engine = engine
        self.sessions = SessionStore()
        self._idle = threading.Condition()
        self._running = 0
        self._status = "Healthy"
        self._status_since = int(time.time())

    def serve_until(self, stop: socket.socket) -> None:
        """Take connections until something can be read from `stop`; then close the listening socket."""
        assert self.listener is not None
        self.listener.setblocking(False)
        poll = select.poll()
        for end in (self.listener, stop):
            poll.register(end, select.POLLIN)
        while all(ready != stop.fileno() for ready, _ in poll.poll()):
            try:
                client, address = self.listener.accept()
            except (BlockingIOError, ConnectionError):
                continue  # who came has left
            except OSError as error:
                log.warning("a connection cannot be taken: %s", error)
                time.sleep(0.05)  # no descriptor is free; answers that end give some back
                continue
            threading.Thread(target=self.finish_request, args=(client, address), daemon=True).start()
        self.listener.close()

    def finish_request(self, client: socket.socket, address: Any) -> None:
        """Answer all requests of one connection."""
        connection = Connection(client)
        try:
            while answer_next(self, connection) and not connection.close:
                pass
        except (OSError, ValueError) as error:
            log.debug("connection from %s ended: %s", address, error)
        finally:
            connection.finish()
            try:
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the other side was faster
            client.close()

    def begin(self) -> bool:
        """Count one more running answer; False when there are too many already."""
        with self._idle:
            if self._running >= MAX_RUNNING:
                return False
            self._running += 1
            self._note_status()
            return True

    def end(self) -> None:
        """One answer is finished."""
        with self._idle:
            self._running -= 1
            self._note_status()
            self._idle.notify_all()

    def _note_status(self) -> None:
        status = "HealthyBusy" if self._running else "Healthy"
        if status != self._status:
            self._status, self._status_since = status, int(time.time())

    def ping(self) -> Dict[str, Any]:
        """The state, and since when it is so."""
        with self._idle:
            return {"status": self._status, "time_of_last_update": self._status_since}

    def drain(self, seconds: float) -> None:
        """Wait until no answer runs any more, but not longer than this."""
        with self._idle:
            self._idle.wait_for(lambda: not self._running, seconds)


def answer_next(server: AgentServer, connection: Connection) -> bool:
    """Answer the next request of a connection; False when there is none."""
    try:
        if not connection.read_request():
            return False
        refusal = who_may_not(server, connection)
        if refusal:
            connection.close = True
            connection.answer(refusal[0], failure(PermissionError(refusal[1])))
        elif (connection.method, connection.path) == ("GET", "/ping"):
            connection.answer(200, server.ping())
        elif (connection.method, connection.path) == ("POST", "/invocations"):
            invoke(server, connection)
        elif connection.method in ("GET", "POST"):
            connection.answer(404, failure(LookupError("no such path: " + connection.path), "NotFound"))
        else:
            connection.answer(405, failure(LookupError("no such method: " + connection.method), "NotFound"))
        log.info("%s %s", connection.method, connection.path)
    except BadRequest as error:
        connection.answer(error.status, failure(error))
    return True


def who_may_not(server: AgentServer, connection: Connection) -> Optional["tuple[int, str]"]:
    """Status and reason for who is turned away, and whose connection is closed."""
    given = connection.headers.get("authorization", "")
    if server.token and not same(given, "Bearer " + server.token):
        return 401, "the token of this run is needed"
    if not server.only_local:
        return None
    # Names that lead here, and pages of a browser on this machine.
    if connection.headers.get("host", "").rsplit(":", 1)[0].lower() not in LOOPBACK or connection.headers.get("origin"):
        return 403, "this agent answers programs of this machine only"
    kind = connection.headers.get("content-type", "").split(";")[0].strip().lower()
    if connection.method == "POST" and kind != "application/json":
        return 415, "the body must be application/json"
    return None


def same(given: str, secret: str) -> bool:
    """Compare in a time that tells nothing of how much was right; `hmac` would load all of OpenSSL for it."""
    one, other = given.encode("utf-8"), secret.encode("utf-8")
    different = len(one) ^ len(other)
    for left, right in zip(one, other):
        different |= left ^ right
    return not different


def invoke(server: AgentServer, connection: Connection) -> None:
    """Answer a question."""
    invocation = read_invocation(connection.body(), connection.headers.get(SESSION_HEADER.lower(), ""))
    if not server.begin():
        connection.answer(503, failure(RuntimeError("too many requests at once"), "Busy"))
        return
    try:
        session, is_new = server.sessions.get(invocation.session_id)
        with session.lock:
            if is_new and invocation.history:
                server.engine.rebuild(session, invocation.history)
            events = watched(server.engine.answer(invocation.prompt, session), connection)
            with closing(events):
                if "text/event-stream" in connection.headers.get("accept", ""):
                    stream(connection, events, session)
                else:
                    answer(connection, events, session)
    finally:
        server.end()


def watched(events: Generator[Optional[Dict[str, Any]], None, None], connection: Connection) -> Generator[Dict[str, Any], None, None]:
    """The events, as long as somebody waits for them: what works on the answer ends with who asked."""
    try:
        for event in events:
            if event is not None:
                yield event
            elif connection.is_left():
                raise ConnectionAbortedError("who asked has left")
    finally:
        events.close()


def answer(connection: Connection, events: Iterable[Dict[str, Any]], session: Session) -> None:
    """One JSON object."""
    try:
        whole = gather(events, session.id)
    except ConnectionError:
        raise
    except Exception as error:
        log.exception("the answer failed")
        connection.answer(500, failure(error))
        return
    connection.answer(200, whole, {SESSION_HEADER: session.id})


def stream(connection: Connection, events: Iterable[Dict[str, Any]], session: Session) -> None:
    """Every event as it comes."""
    connection.begin_stream({SESSION_HEADER: session.id})
    try:
        for event in events:
            connection.frame(event)
    except (ConnectionError, TimeoutError):
        raise
    except Exception as error:  # in mid-stream the failure goes in band
        log.exception("the stream failed")
        connection.frame(failure(error))
    connection.frame({"event": "done"})
    connection.end_stream()


class JsonLines(logging.Formatter):
    """One JSON object per log line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": round(record.created, 3), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def choose_engine(agent: Agent) -> Any:
    """The offline engine, or the one with a language model when the environment names a model."""
    if not os.environ.get("MODEL_PROVIDER"):
        return OfflineEngine(agent)
    if sys.flags.no_site:
        import site

        site.main()  # this Python was started without the folders of installed packages
    # The SDK would look for somebody to tell its traces to.
    os.environ.setdefault("OTEL_SDK_DISABLED", "true")
    try:
        from runtime.model_engine import ModelEngine

        return ModelEngine(agent)
    except ImportError as error:
        missing = "the packages of requirements.txt are not installed here (%s)" % (error.name or error)
        if agent.needs_model():
            raise SystemExit("this agent needs a language model, and " + missing) from None
        log.warning("%s: it answers without a language model", missing)
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
    stop, signalled = socket.socketpair()
    signalled.setblocking(False)
    # The kernel's note of a signal ends the waiting at once; the handlers only keep it from ending the process.
    signal.set_wakeup_fd(signalled.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    try:
        print(json.dumps({"event": "listening", "host": server.host, "port": server.port}), flush=True)
    except BrokenPipeError:
        pass  # nobody reads our output; serve all the same
    server.serve_until(stop)
    server.drain(DRAIN_SECONDS)
    return 0
