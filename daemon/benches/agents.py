#!/usr/bin/env python3
"""What people wait for: real agents built, started, woken and stopped by a release daemon with the system's Python.

    python3 daemon/benches/agents.py target/release/nexusd [ROUNDS]

1. one build alone, and 20 at a time: wall clock and CPU of each, the daemon's own and that of all it started;
2. a question to a running agent, and one that wakes a resting agent;
3. the agent by itself: SIGTERM to its end;
4. the memory of a running agent (proportional set size: what it shares with others is divided).

Ends its daemon by its process id.
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "target/release/nexusd"
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
REQUIREMENT = ("Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. "
               "It should also convert kg to lb.")
TICK = os.sysconf("SC_CLK_TCK")


class Daemon:
    """A daemon on a folder of its own. `settings` is its file. Unless it is told otherwise it asks for no credential."""

    def __init__(self, folder, settings="", open_to_all=True):
        self.folder = folder
        (folder / "nexusd.toml").write_text(settings)
        command = [PROGRAM, "--config", folder / "nexusd.toml", "--listen", "127.0.0.1:0", "--data-dir", folder / "data"]
        # The system's Python: a shim that looks for one costs its own time at the first start.
        environment = {**os.environ, "PATH": "/usr/bin:/bin"}
        if open_to_all:
            environment["NEXUSD_AUTH__MODE"] = "none"
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        for line in self.child.stdout:
            if b"http://" in line:
                self.port = int(line.split(b"http://")[1].split()[0].rsplit(b":", 1)[1])
                break
        else:
            sys.exit("the daemon does not start")
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.headers = {"Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        self.connection.request(method, "/api/v2" + path, json.dumps(body) if body else None, self.headers)
        with self.connection.getresponse() as answer:
            data = json.loads(answer.read() or "{}")
            if answer.status >= 300:
                sys.exit("%s %s: %s %s" % (method, path, answer.status, data))
        return data.get("data")

    def cpu(self):
        """Seconds that the daemon has used, and that its children had used when they ended."""
        fields = Path("/proc/%d/stat" % self.child.pid).read_text().rsplit(")", 1)[1].split()
        user, system, user_of_children, system_of_children = (int(field) / TICK for field in fields[11:15])
        return user + system, user_of_children + system_of_children

    def build(self, count):
        """So many at a time, until all are done; their projects."""
        made = [self.ask("POST", "/projects", {"requirement": REQUIREMENT, "project_name": "p%d" % n})["project_id"]
                for n in range(count)]
        left = set(made)
        while left:
            for project in list(left):
                status = self.ask("GET", "/projects/" + project)["status"]
                if status == "completed":
                    left.remove(project)
                elif status not in ("pending", "queued", "building"):
                    sys.exit("a build is %s: %s" % (status, self.ask("GET", "/projects/" + project).get("error_info")))
            time.sleep(0.004)
        return made

    def agents(self, project):
        return [agent["agent_id"] for agent in self.ask("GET", "/agents?limit=100") if agent["project_id"] == project]

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)


def below(pid):
    """The processes below one, as far as they live."""
    found, unread = [], [pid]
    while unread:
        for task in Path("/proc/%d/task" % unread.pop()).glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += children
            unread += children
    return found


def memory(pid):
    rollup = Path("/proc/%d/smaps_rollup" % pid).read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def main():
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), "[log]\nfilter = \"error\"\n[plugins.deploy-local]\nidle_stop_secs = 1\n")
        try:
            measure(daemon)
        finally:
            daemon.stop()


def measure(daemon):
    daemon.build(1)  # finds the interpreter and makes what all agents share
    for count in (1, 20):
        walls, own, started = [], [], []
        for _ in range(ROUNDS):
            before, begun = daemon.cpu(), time.perf_counter()
            daemon.build(count)
            walls.append((time.perf_counter() - begun) / count)
            # Those that only verified have ended; the agents themselves run on, or were not started.
            time.sleep(1)
            after = daemon.cpu()
            own.append((after[0] - before[0]) / count)
            started.append((after[1] - before[1]) / count)
        middle = [statistics.median(times) * 1e3 for times in (walls, own, started)]
        print("%2d build(s) at a time: %.0f ms each; CPU %.0f ms of the daemon, %.0f ms of processes that ended" % (count, *middle))
    project = daemon.build(1)[0]
    agent = until(lambda: daemon.agents(project))[0]
    question = {"input_text": "How much are 3 apples?"}
    daemon.ask("POST", "/agents/%s/invoke" % agent, question)
    asked, woken = [], []
    for _ in range(5 * ROUNDS):
        begun = time.perf_counter()
        daemon.ask("POST", "/agents/%s/invoke" % agent, question)
        asked.append(time.perf_counter() - begun)
    pids = running(daemon)
    figures = memory(pids[0]), memory(parent(pids[0])), memory(daemon.child.pid)
    for _ in range(3 * ROUNDS):
        until(lambda: not running(daemon))
        begun = time.perf_counter()
        daemon.ask("POST", "/agents/%s/invoke" % agent, question)
        woken.append(time.perf_counter() - begun)
    print("a question to a running agent %.1f ms, to a resting one %.0f ms" % (
        statistics.median(asked) * 1e3, statistics.median(woken) * 1e3))
    stopped = [stop_alone(daemon.folder / "data/projects" / project / "agent") for _ in range(3 * ROUNDS)]
    print("SIGTERM to an agent's end %.0f ms" % (statistics.median(stopped) * 1e3))
    print("memory of an agent %.1f MB, of its keeper %.1f MB, of the daemon %.1f MB" % figures)


def running(daemon):
    """The agents' own processes."""
    return [pid for pid in below(daemon.child.pid) if is_agent(pid)]


def stop_alone(folder):
    """An agent without a daemon around it, told to end."""
    command = ["/usr/bin/python3", "-B", "agent.py"]
    agent = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env={"PORT": "0"})
    agent.stdout.readline()
    begun = time.perf_counter()
    agent.send_signal(signal.SIGTERM)
    agent.wait(30)
    return time.perf_counter() - begun


def parent(pid):
    return int(Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[1])


def is_agent(pid):
    try:
        return b"agent.py" in Path("/proc/%d/cmdline" % pid).read_bytes()
    except OSError:
        return False


def until(found, seconds=30):
    """What `found` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.002)
    sys.exit("it does not happen within %d s" % seconds)


if __name__ == "__main__":
    main()
