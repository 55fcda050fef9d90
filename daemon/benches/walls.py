#!/usr/bin/env python3
"""What the walls cost an agent that answers: `invoke` of a real agent behind its walls against its twin without any.

    python3 daemon/benches/walls.py target/debug/nexusd [SECONDS]

The twin is the same program with the same arguments, environment and folder, started by this script on a socket of its
own. The daemon asks its agent at a path, over a connection for each question; so this script puts now the one, now the
other socket there, and the daemon, the store and the client are the same for both. Both are asked in turns of half a second,
in the order 1 2 2 1, for SECONDS with each mode of the sandbox; what the machine does besides meets both alike.

Prints, for each mode, answers a second of both, the middle of the ratios of neighbouring turns with the band in which it
lies 95 of 100 times (bootstrap), and the CPU of an answer: the agent's, and its keeper's.
"""

import json
import os
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.argv[1:2] = sys.argv[1:2] or ["target/release/nexusd"]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 60
sys.argv = sys.argv[:2]
from agents import TICK, Daemon, parent, running, until  # noqa: E402  (it reads the arguments, too)

AT_ONCE = 4
TURN = 0.5


def cpu(pid):
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Twin:
    """The same agent once more, with nothing around it."""

    def __init__(self, pid, path):
        words = Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")[:-1]
        environment = dict(entry.split(b"=", 1) for entry in Path("/proc/%d/environ" % pid).read_bytes().split(b"\0") if entry)
        environment.pop(b"LISTEN_PID", None)
        program = os.readlink("/proc/%d/exe" % pid)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(128)
        # Its own number is known to nobody before it is.
        script = 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&%d' % listener.fileno()
        self.child = subprocess.Popen(["/bin/sh", "-c", script, program, *words[1:]], env=environment,
                                      cwd=os.readlink("/proc/%d/cwd" % pid), pass_fds=[listener.fileno()],
                                      # A session of its own, as the other has: the kernel shares out processors by sessions.
                                      start_new_session=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listener.close()


def turn(clients, question):
    """Asks over all connections, each again as soon as it is answered; answers a second."""
    poll, left = select.epoll(), {}
    for client in clients:
        client.sendall(question)
        poll.register(client, select.EPOLLIN)
        left[client.fileno()] = (client, b"")
    begun, answered = time.perf_counter(), 0
    while left:
        for number, _ in poll.poll(30):
            client, read = left[number]
            read += client.recv(65536)
            head, _, body = read.partition(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if not body or len(body) < int(length[0].split(b":")[1]):
                left[number] = (client, read)
                continue
            if b" 200 " not in head[:16]:
                sys.exit("an answer: %r" % read[:500])
            answered += 1
            if time.perf_counter() - begun < TURN:
                client.sendall(question)
                left[number] = (client, b"")
            else:
                poll.unregister(client)
                del left[number]
    return answered, answered / (time.perf_counter() - begun)


def band(ratios, rounds=4000):
    """The median, and where it lies in 95 of 100 samples drawn from these."""
    source = random.Random(1)
    medians = sorted(statistics.median(source.choices(ratios, k=len(ratios))) for _ in range(rounds))
    return statistics.median(ratios), medians[rounds // 40], medians[-rounds // 40]


def measure(mode):
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), '[log]\nfilter = "error"\n[sandbox]\nmode = "%s"\n[auth.limits]\nrequests_per_minute = 0\n' % mode)
        twin = None
        try:
            project = daemon.build(1)[0]
            agent = until(lambda: daemon.agents(project))[0]
            body = json.dumps({"input_text": "How much are 3 apples?"}).encode()
            daemon.ask("POST", "/agents/%s/invoke" % agent, json.loads(body))
            pid = until(lambda: running(daemon))[-1]
            place = next(Path(folder).rglob("agent.socket"))
            confined, plain = place.with_name("confined"), place.with_name("plain")
            os.link(place, confined)
            twin = Twin(pid, plain)
            head = "POST /api/v2/agents/%s/invoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            question = (head % (agent, len(body))).encode() + body
            clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(AT_ONCE)]
            sockets = {"confined": (confined, pid), "plain": (plain, twin.child.pid)}
            rates, counts, spent, kept, ratios = {name: [] for name in sockets}, dict.fromkeys(sockets, 0), dict.fromkeys(sockets, 0.0), 0.0, []
            keeper = keeper_of(daemon, pid)
            end, first = time.monotonic() + SECONDS, True
            while time.monotonic() < end:
                pair = {"confined": [], "plain": []}
                for name in ("confined", "plain", "plain", "confined"):
                    source, process = sockets[name]
                    swap(source, place)
                    before, watched = cpu(process), cpu(keeper)
                    answered, rate = turn(clients, question)
                    if not first:
                        counts[name] += answered
                        spent[name] += cpu(process) - before
                        kept += cpu(keeper) - watched if name == "confined" else 0
                        rates[name].append(rate)
                        pair[name].append(rate)
                if not first:
                    ratios.append(sum(pair["confined"]) / sum(pair["plain"]) * 100)
                first = False
            middle, low, high = band(ratios)
            print("%s: %.0f answers/s confined, %.0f without walls; %.1f %% (95 of 100: %.1f to %.1f; %d turns); CPU of an answer %.2f ms confined (and %.3f ms of the keeper), %.2f ms without" % (
                mode, statistics.median(rates["confined"]), statistics.median(rates["plain"]), middle, low, high, 4 * len(ratios),
                spent["confined"] / counts["confined"] * 1e3, kept / counts["confined"] * 1e3, spent["plain"] / counts["plain"] * 1e3))
            swap(confined, place)
        finally:
            if twin:
                twin.child.send_signal(signal.SIGTERM)
                twin.child.wait(30)
            daemon.stop()


def keeper_of(daemon, pid):
    """The nearest ancestor that is a child of the daemon: bubblewrap has processes of its own between."""
    while parent(pid) != daemon.child.pid:
        pid = parent(pid)
    return pid


def swap(source, place):
    """Another name for that socket, in the place of the one there."""
    beside = place.with_name("next")
    os.link(source, beside)
    # Two names of one file are not exchanged by a rename.
    if beside.samefile(place):
        beside.unlink()
    else:
        beside.rename(place)


if __name__ == "__main__":
    for mode in ("landlock", "bwrap"):
        measure(mode)
