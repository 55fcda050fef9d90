"""Verifies the agent in the working directory in one interpreter: it is loaded once, then copied twice.

    this process ─┬─ the agent itself, as `python3 agent.py` would be: on the socket that was handed over
                  └─ the checks: every Python file compiles, the unit tests pass; in a process group of their own

Standard output is the agent's. Between its lines this process tells what the checks found, as lines of JSON: the
"report" in parts, then "checked". It ends when both copies have, as the agent did.
"""
import gc
import importlib.util
import io
import json
import os
import pathlib
import platform
import re
import signal
import sys
import time

TOOL = re.compile(r"\b(?:tools[./]|intents[./]|tests[./]test_)(?!agent\b|__init__)(\w+)")
CHECKED_HASH = 3
# A pipe takes 4096 bytes as one; JSON makes two of some characters.
PART = 1900
root = pathlib.Path.cwd()
report = {"python": platform.python_version(), "unusable": None, "compiled": 0, "tests": 0, "errors": [], "dropped": []}


def failed(check, place, expected, output, named=None):
    tool = TOOL.search(named or place)
    report["errors"].append({"check": check, "place": place, "tool": tool and tool.group(1), "expected": expected, "output": output})


def load_agent():
    """Load what the agent and its tests both load. What is wrong with it is found by them."""
    try:
        import runtime.server
        from runtime.registry import Agent

        Agent(root)
    except BaseException as error:
        print(error, file=sys.stderr)


def is_compiled(path, source):
    """Whether its bytecode lies beside it, made from this very source by a Python like this one."""
    try:
        with open(importlib.util.cache_from_source(str(path)), "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head == importlib.util.MAGIC_NUMBER + CHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)


def compile_all():
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        try:
            source = path.read_bytes()
            if not is_compiled(path, source):
                compile(source, name, "exec", dont_inherit=True)
            report["compiled"] += 1
        except (SyntaxError, ValueError) as error:
            failed("compile", name, "a file that compiles", "%s: %s" % (type(error).__name__, error))


def drop_examples():
    """Asks every example question; drops from the tests those that another tool answers, or that are answered otherwise."""
    dropped = []
    try:
        import tests.test_agent as own
        from runtime.protocol import gather
        from runtime.sessions import Session

        tools = {tool.id: tool.functions for tool in own.AGENT.tools}
        for example in list(own.AGENT.manifest["examples"]):
            answer = gather(own.ENGINE.answer(example["question"], Session("examples")), "examples")
            calls = [(call["name"], call["status"]) for call in answer["tool_calls"]]
            right = len(calls) == 1 and calls[0][1] == "success" and calls[0][0] in tools.get(example["tool"], {})
            if not right or example["contains"] not in answer["output"]:
                own.AGENT.manifest["examples"].remove(example)
                got = ", ".join(name for name, _ in calls) or "no tool"
                dropped.append({"question": example["question"], "tool": example["tool"], "got": got})
    except Exception as error:  # the tests tell what is wrong with the agent itself
        print(error)
    return dropped


def run_tests():
    import unittest

    captured, real = io.StringIO(), (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = captured
    report["dropped"] = drop_examples()
    suite = unittest.defaultTestLoader.discover(str(root / "tests"), top_level_dir=str(root))
    result = unittest.TextTestRunner(stream=captured, verbosity=0).run(suite)
    sys.stdout, sys.stderr = real
    report["tests"] = result.testsRun
    for test, output in result.failures + result.errors:
        failed("unit_test", str(test), "a test that passes", output, test.id())
    for test in result.unexpectedSuccesses:
        failed("unit_test", str(test), "a test that fails", "succeeded unexpectedly", test.id())
    if not result.testsRun:
        failed("unit_test", "tests", "at least one test", "no tests were found")


def check():
    started = time.monotonic()
    compile_all()
    if not report["errors"]:
        run_tests()
    report["seconds"] = round(time.monotonic() - started, 3)


def begin_checks(out):
    """From a copy of this process to the checks: nothing of the agent's socket, token and output is theirs."""
    os.setpgid(0, 0)
    os.dup2(2, 1)
    os.closerange(3, out)
    os.closerange(out + 1, 64)
    for name in ("AGENT_TOKEN", "LISTEN_FDS", "LISTEN_PID"):
        os.environ.pop(name, None)


def begin_agent():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ["LISTEN_PID"] = str(os.getpid())
    sys.argv = ["agent.py"]


def say(**event):
    os.write(1, json.dumps(event).encode("ascii") + b"\n")


def pass_on(text):
    """As lines so short that each is written as one, whatever the agent prints meanwhile."""
    for start in range(0, len(text), PART):
        say(event="report", part=text[start:start + PART])
    say(event="checked")


def until_newline(pipe):
    """What the checks write; one that a test left behind may hold the pipe open for longer than they live."""
    text = b""
    while not text.endswith(b"\n"):
        more = os.read(pipe, 65536)
        if not more:
            break
        text += more
    return text.decode("ascii", "replace")


if sys.version_info < (3, 9):
    report["unusable"] = "Python 3.9 or newer is needed, this is " + platform.python_version()
    pass_on(json.dumps({"seconds": 0, **report}))
    sys.exit(1)
sys.path.insert(0, str(root))
load_agent()
# The copies share their memory as long as nobody touches it.
gc.freeze()
# For the agent alone; whoever is started by a test gets the signal as ever.
signal.signal(signal.SIGTERM, lambda number, frame: None)
agent = os.fork()
if agent == 0:
    begin_agent()
    del sys.path[0]
    own = {"__name__": "__main__", "__file__": str(root / "agent.py"), "__builtins__": __builtins__}
    exec(compile((root / "agent.py").read_bytes(), "agent.py", "exec", dont_inherit=True), own)
    sys.exit(0)
pipe, out = os.pipe()
checks = os.fork()
if checks == 0:
    begin_checks(out)
    check()
    with open(out, "w", encoding="ascii") as file:
        file.write(json.dumps(report) + "\n")
    os._exit(0)
os.close(out)
os.close(3)
pass_on(until_newline(pipe))
os.waitpid(checks, 0)
code = os.waitstatus_to_exitcode(os.waitpid(agent, 0)[1])
os._exit(code if code >= 0 else 128 - code)
