"""Compiles every Python file of the agent in the working directory, then runs its unit tests.

Run by the build's manager stage as one process. Prints one line of JSON; the output of
failing tests is part of it. Exit code 0 means that all is well.
"""
import io
import json
import pathlib
import platform
import re
import sys
import time
import unittest

TOOL = re.compile(r"\b(?:tools[./]|intents[./]|tests[./]test_)(?!agent\b|__init__)(\w+)")
root = pathlib.Path.cwd()
sys.path.insert(0, str(root))
started = time.monotonic()
report = {"python": platform.python_version(), "unusable": None, "compiled": 0, "tests": 0, "errors": [], "dropped": []}


def failed(check, place, expected, output, named=None):
    tool = TOOL.search(named or place)
    report["errors"].append({"check": check, "place": place, "tool": tool and tool.group(1), "expected": expected, "output": output})


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


if sys.version_info < (3, 9):
    report["unusable"] = "Python 3.9 or newer is needed, this is " + platform.python_version()
else:
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        try:
            compile(path.read_bytes(), name, "exec", dont_inherit=True)
            report["compiled"] += 1
        except (SyntaxError, ValueError) as error:
            failed("compile", name, "a file that compiles", "%s: %s" % (type(error).__name__, error))
    if not report["errors"]:
        captured, real = io.StringIO(), sys.stdout
        sys.stdout = sys.stderr = captured  # nothing a test prints may mix with the report
        report["dropped"] = drop_examples()
        suite = unittest.defaultTestLoader.discover(str(root / "tests"), top_level_dir=str(root))
        result = unittest.TextTestRunner(stream=captured, verbosity=0).run(suite)
        sys.stdout = real
        report["tests"] = result.testsRun
        for test, output in result.failures + result.errors:
            failed("unit_test", str(test), "a test that passes", output, test.id())
        for test in result.unexpectedSuccesses:
            failed("unit_test", str(test), "a test that fails", "succeeded unexpectedly", test.id())
        if not result.testsRun:
            failed("unit_test", "tests", "at least one test", "no tests were found")

report["seconds"] = round(time.monotonic() - started, 3)
sys.__stdout__.write(json.dumps(report, ensure_ascii=True) + "\n")
sys.__stdout__.flush()
sys.exit(1 if report["unusable"] or report["errors"] else 0)
