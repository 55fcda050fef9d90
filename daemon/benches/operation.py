#!/usr/bin/env python3
"""What an operator feels of the embedded store while it works on itself: a release daemon on a large file of its own making.

    python3 daemon/benches/operation.py target/release/nexusd [PROJECTS] [ROWS] [SECONDS]

1. the log beside overlapping readers: six clients search, three post, for SECONDS; the largest size of nexus.db-wal;
2. POST while the events of PROJECTS ended projects are cleaned (they are older than [store] event_retention_days);
3. POST while an agent with ROWS invocations and messages is deleted, and the size of the file afterwards.

Bounded in time and number; ends its daemon by its process id.
"""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "target/release/nexusd"
PROJECTS, ROWS, SECONDS = (int(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((2, 100_000), (3, 800_000), (4, 80)))
OLD, DAY = "2020-01-01T00:00:00.000000Z", "2020-01-02T00:00:00.000000Z"


class Daemon:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.log = (folder / "log.txt").open("a")
        config = folder / "nexusd.toml"
        # No work for workers: what is measured is the store beside the API.
        config.write_text("[worker]\nreconcile_secs = 1\n[store]\nevent_retention_days = 30\n")
        self.child = subprocess.Popen([PROGRAM, "--config", config, "--listen", f"127.0.0.1:{self.port}", "--data-dir",
                                       folder / "data"], stdout=self.log, stderr=self.log,
                                      env={**os.environ, "NEXUSD_AUTH__MODE": "none"})
        for _ in range(1200):
            try:
                if ask(self.port, "GET", "/health/ready")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"the daemon does not come up: see {folder}/log.txt")

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)


def ask(port, method, path, body=None, connection=None):
    """A request, on a connection of its own unless one is given: the status and what was answered."""
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    own.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json"})
    answer = own.getresponse()
    data = answer.read()
    if connection is None:
        own.close()
    return answer.status, data


def post_until(port, stop, times):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not stop.is_set():
        begun = time.perf_counter()
        status, data = ask(port, "POST", "/api/v2/projects",
                           {"requirement": "a price list: apple 3 EUR", "workflow": "agent_build"}, connection)
        times.append((time.perf_counter() - begun, status))
        # Each is cancelled at once, so that no build takes the machine from what is measured.
        made = json.loads(data)["data"]["project_id"] if status == 201 else None
        if made:
            ask(port, "POST", f"/api/v2/projects/{made}/control", {"action": "cancel"}, connection)
        time.sleep(0.005)


def search_until(port, stop, count, number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not stop.is_set():
        status, _ = ask(port, "GET", f"/api/v2/projects?q=rare{number}&limit=20", None, connection)
        count.append(status)


def told(times, what):
    took = sorted(t for t, _ in times)
    failed = sum(1 for _, status in times if status != 201)
    at = lambda share: took[min(len(took) - 1, int(len(took) * share))] * 1000 if took else float("nan")
    print(f"  POST {what}: {len(took)}, p50 {at(.5):.1f} ms, p99 {at(.99):.1f} ms, longest {at(1):.1f} ms, {failed} refused")


def measured(port, during, what):
    """Posts while `during` runs."""
    stop, times = threading.Event(), []
    poster = threading.Thread(target=post_until, args=(port, stop, times))
    poster.start()
    begun = time.perf_counter()
    during()
    took = time.perf_counter() - begun
    stop.set()
    poster.join()
    told(times, what)
    return took


def fill(database):
    conn = sqlite3.connect(database)
    conn.execute("PRAGMA synchronous = OFF")
    with conn:
        conn.executemany(
            "INSERT INTO nexus_projects (project_id, status, control_status, progress, updated_at, aggregated_metrics, started_at,"
            " completed_at, project_name, user_id, priority, created_at, workflow) VALUES"
            " (?1, 'completed', 'running', 100, ?2, '{}', ?2, ?2, ?3, 'anonymous', 3, ?2, 'agent_build')",
            ((f"proj_{i:012x}", OLD, f"project {i}") for i in range(PROJECTS)))
        conn.execute("INSERT INTO project_texts (project_key, requirement, search_text) SELECT project_key,"
                     " 'requirement ' || project_name, 'requirement of some length, to be searched: ' || project_name"
                     " FROM nexus_projects WHERE completed_at = ?1", (OLD,))
        for seq in (1, 2, 3):
            conn.execute("INSERT INTO project_events (event_key, at, events) SELECT (project_key << 28) + ?2, 0,"
                         " '[]' FROM nexus_projects WHERE completed_at = ?1", (OLD, seq))
        conn.execute("INSERT INTO nexus_agents (agent_id, agent_name, description, category, version, status, deployment_type,"
                     " created_at, updated_at, agent_dir) VALUES ('agent_large', 'large', '', 'x', '1', 'offline', 'local', ?1, ?1, 'agent')", (DAY,))
        half = ROWS // 2
        conn.executemany("INSERT INTO nexus_sessions (session_key, session_id, agent_id, status, message_count, created_at,"
                         " last_active_at) VALUES (?1, ?2, 'agent_large', 'active', ?3, ?4, ?4)",
                         ((1_000_000 + i, f"sess-{i:032x}", half // 100, DAY) for i in range(100)))
        text = "x" * 200
        conn.executemany("INSERT INTO nexus_messages (session_key, message_id, role, content, created_at) VALUES (?1, ?2, 'user', ?3, ?4)",
                         ((1_000_000 + i % 100, f"{i:026d}", text, DAY) for i in range(half)))
        conn.executemany("INSERT INTO nexus_invocations (invocation_id, agent_id, user_id, input_text, output_text, status,"
                         " duration_ms, input_tokens, output_tokens, created_at) VALUES (?1, 'agent_large', 'u', ?2, ?2, 'success', 1, 0, 0, ?3)",
                         ((f"inv_{i:012x}", text, DAY) for i in range(half)))
    conn.close()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Daemon(folder).stop()
        database = folder / "data/nexus.db"
        fill(database)
        size = lambda file: file.stat().st_size / 1e6 if file.exists() else 0.0
        print(f"{PROJECTS} projects, an agent with {ROWS} rows: {size(database):.0f} MB")

        begun = time.perf_counter()
        daemon = Daemon(folder)
        wal = folder / "data/nexus.db-wal"

        def cleaned():
            # The first round of the reconciler cleans; its log line ends it.
            while "cleaned away" not in (folder / "log.txt").read_text() and time.perf_counter() - begun < 300:
                time.sleep(0.2)

        took = measured(daemon.port, cleaned, "while events are cleaned")
        print(f"  cleaned in {took:.0f} s")

        stop, found, times, largest = threading.Event(), [], [], 0.0
        threads = [threading.Thread(target=search_until, args=(daemon.port, stop, found, i)) for i in range(6)]
        threads += [threading.Thread(target=post_until, args=(daemon.port, stop, times)) for _ in range(3)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            largest = max(largest, size(wal))
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        print(f"  log beside 6 searching clients and 3 writers, {SECONDS} s: at most {largest:.0f} MB, {len(found)} searches")
        told(times, "meanwhile")

        def deleted():
            status, data = ask(daemon.port, "DELETE", "/api/v2/agents/agent_large")
            if status != 200:
                sys.exit(f"the agent is not deleted: {status} {data}")
            look = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            while look.execute("SELECT count(*) FROM doomed_agents").fetchone()[0]:
                time.sleep(0.2)
            look.close()

        before = size(database)
        took = measured(daemon.port, deleted, "while the agent is deleted")
        print(f"  its rows were gone after {took:.0f} s")
        least, end = before, time.monotonic() + 120
        while time.monotonic() < end and least > before * 0.5:
            time.sleep(1)
            least = min(least, size(database))
        print(f"  file: {before:.0f} MB before, {least:.0f} MB after")
        daemon.stop()


if __name__ == "__main__":
    os.environ.pop("NEXUSD_CONFIG", None)
    main()
