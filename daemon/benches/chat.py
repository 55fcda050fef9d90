#!/usr/bin/env python3
"""What a conversation costs and how soon it speaks: a release daemon with one agent that says what it is told to.

    python3 daemon/benches/chat.py target/release/nexusd [SECONDS] [STREAMS...]

1. the first text of a stream, on a connection that is kept and on a fresh one;
2. CPU of the daemon for an invoke, one after the other;
3. so many streams at once (100, 400, 800) of 20 events a second for SECONDS: how many of them spoke, CPU of the daemon for
   each event, and how late an event is at its client.

The agent is a real process behind the walls; its code is a small server that sends every event to all at once, so that it
takes little of the machine. Client and agent share the machine with the daemon: the delays are theirs, too.
"""

import http.client
import json
import select
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.argv[1:2] = sys.argv[1:2] or ["target/release/nexusd"]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 5
STREAMS = [int(word) for word in sys.argv[3:]] or [100, 400, 800]
sys.argv = sys.argv[:2]
from agents import Daemon, until  # noqa: E402  (it reads the arguments, too)

PACE = 0.05
# Answers "once" at once, and anything else with an event every 50 ms for so many seconds.
SPEAKER = '''
import asyncio, json, socket, time

async def serve(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().lower()
    length = head.split("content-length:")[1].split()[0] if "content-length:" in head else 0
    body = json.loads(await reader.readexactly(int(length)) or b"{}")
    if head.startswith("get"):
        data = b'{"status": "Healthy"}'
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(data), data))
    else:
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nConnection: close\\r\\n\\r\\n")
        if body["prompt"] == "once":
            writer.write(text() + DONE)
        else:
            waiting[writer] = time.time() + float(body["prompt"])
            return
    await writer.drain()
    writer.close()

def text():
    return b'data: {"event": "message", "type": "text", "data": "at=%.6f="}\\n\\n' % time.time()

DONE = b'data: {"event": "metrics", "data": {}}\\n\\ndata: {"event": "done"}\\n\\n'
waiting = {}

async def main():
    await asyncio.start_unix_server(serve, sock=socket.socket(fileno=3), limit=1 << 16)
    print(json.dumps({"event": "listening"}), flush=True)
    while True:
        await asyncio.sleep(PACE - time.time() % PACE)
        for writer, until in list(waiting.items()):
            writer.write(text())
            if time.time() > until:
                writer.write(DONE)
                writer.close()
                del waiting[writer]

asyncio.run(main())
'''.replace("PACE", str(PACE))


def main():
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), "[log]\nfilter = \"error\"\n")
        try:
            project = daemon.build(1)[0]
            agent = until(lambda: daemon.agents(project))[0]
            (daemon.folder / "data/projects" / project / "agent/agent.py").write_text(SPEAKER)
            daemon.ask("POST", "/agents/%s/invoke" % agent, {"input_text": "once"})
            sessions = [daemon.ask("POST", "/agents/%s/sessions" % agent, {})["session_id"] for _ in range(sum(STREAMS))]
            first_text(daemon, sessions[0])
            invoke(daemon, agent)
            for count in STREAMS:
                events(daemon, [sessions.pop() for _ in range(count)])
        finally:
            daemon.stop()


def request(session, content):
    body = json.dumps({"content": content})
    head = "POST /api/v2/sessions/%s/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return (head % (session, len(body)) + body).encode()


def answer(client, question):
    """Asks, and reads to the end of the chunks; when the first text came."""
    begun, first, read = time.perf_counter(), None, b""
    client.sendall(question)
    while not read.endswith(b"0\r\n\r\n"):
        more = client.recv(65536)
        if not more:
            sys.exit("the answer broke off: %r" % read)
        read += more
        if first is None and b"at=" in read:
            first = time.perf_counter() - begun
    return first


def first_text(daemon, session):
    kept, fresh = [], []
    question = request(session, "once")
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        answer(client, question)
        for _ in range(200):
            kept.append(answer(client, question))
    for _ in range(100):
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            opened = time.perf_counter() - begun
            fresh.append(opened + answer(client, question))
    for name, times in (("kept", kept), ("fresh", fresh)):
        times.sort()
        print("first text, %s connection: p50 %.2f ms, p99 %.2f ms" % (name, times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3))


def invoke(daemon, agent):
    times, before = [], daemon.cpu()[0]
    for _ in range(500):
        begun = time.perf_counter()
        daemon.ask("POST", "/agents/%s/invoke" % agent, {"input_text": "once"})
        times.append(time.perf_counter() - begun)
    spent = (daemon.cpu()[0] - before) / len(times)
    print("invoke: p50 %.2f ms; %.2f ms of the daemon's CPU" % (statistics.median(times) * 1e3, spent * 1e3))


def events(daemon, sessions):
    poll, clients = select.epoll(), {}
    for session in sessions:
        client = socket.create_connection(("127.0.0.1", daemon.port))
        client.sendall(request(session, str(SECONDS + 1)))
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)
    time.sleep(0.5)  # all have begun
    count, delays, spoke, before, end = 0, [], set(), daemon.cpu()[0], time.time() + SECONDS
    while time.time() < end:
        for number, _ in poll.poll(0.1):
            data = clients[number].recv(65536)
            count += data.count(b"at=")
            if b"at=" in data:
                spoke.add(number)
                delays.append(time.time() - float(data.rsplit(b"at=", 1)[1].split(b"=")[0]))
    spent = (daemon.cpu()[0] - before) / max(count, 1)
    heard = sum(1 for number in clients if number in spoke)
    for client in clients.values():
        client.close()
    time.sleep(3)  # the answers go on to their ends without readers
    delays.sort()
    print("%d of %d streams spoke: %.0f events/s, %.0f us of the daemon's CPU each; at the client after p50 %.1f ms, p99 %.1f ms" % (
        heard, len(sessions), count / SECONDS, spent * 1e6, delays[len(delays) // 2] * 1e3, delays[len(delays) * 99 // 100] * 1e3))


if __name__ == "__main__":
    main()
