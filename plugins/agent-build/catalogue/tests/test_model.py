"""Agents of a model, as far as no model and no package is needed: a turn over a double of the SDK, the words for what
goes wrong, and that nothing of a session is kept where another one finds it.

Run: `python3 -m unittest discover -s catalogue/tests -p test_model.py`.
"""
import ast
import asyncio
import subprocess
import sys
import threading
import time
import types
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import agent_folder  # noqa: E402,F401  (the path to the template)
from runtime import model_words  # noqa: E402
from runtime.model_turn import MOST_WAITING, Turn  # noqa: E402
from runtime.server import AgentServer  # noqa: E402

SOURCES = [
    path for folder in (agent_folder.TEMPLATE, agent_folder.CATALOGUE) for path in sorted(folder.rglob("*.py"))
    if "tests" not in path.parts and path.name not in ("test.py", "describe.py", "agent_folder.py")
]


class Double:
    """What the turn uses of an agent of the SDK."""

    def __init__(self, script):
        self.script = script
        self.ended = threading.Event()
        self.event_loop_metrics = types.SimpleNamespace(accumulated_usage={"inputTokens": 100, "outputTokens": 50})

    async def stream_async(self, text, limits):
        try:
            async for event in self.script(self, text):
                yield event
        finally:
            self.ended.set()

    def take(self, read, written):
        usage = self.event_loop_metrics.accumulated_usage
        self.event_loop_metrics.accumulated_usage = {"inputTokens": usage["inputTokens"] + read, "outputTokens": usage["outputTokens"] + written}


def result(reason):
    return {"result": types.SimpleNamespace(stop_reason=reason)}


def of(turn):
    return [event for event in turn.events() if event is not None]


class TurnTest(unittest.TestCase):
    def test_text_tools_and_usage_of_this_turn_alone(self):
        async def script(double, text):
            use = {"toolUseId": "t1", "name": "add", "input": {"a": 1}}
            yield {"message": {"role": "assistant", "content": [{"toolUse": use}]}}
            yield {"message": {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "status": "error", "content": [{"text": "no"}, {"json": [1]}]}}]}}
            yield {"data": "It "}
            yield {"data": ""}
            yield {"data": text}
            double.take(7, 5)
            yield result("end_turn")

        turn = Turn(Double(script), "is so")
        events = of(turn)
        self.assertEqual([event["type"] for event in events], ["tool_use", "tool_input", "tool_end", "text", "text"])
        self.assertEqual([events[2][name] for name in ("tool_name", "tool_input", "tool_result", "status")], ["add", {"a": 1}, "no\n[1]", "error"])
        self.assertEqual("".join(event["data"] for event in events[3:]), "It is so")
        self.assertEqual((turn.error, turn.stop_reason, turn.usage()), (None, "end_turn", {"input_tokens": 7, "output_tokens": 5}))

    def test_a_failure_keeps_what_was_said_and_what_it_took(self):
        async def script(double, text):
            yield {"data": "Half"}
            double.take(3, 2)
            raise ConnectionError("gone")

        turn = Turn(Double(script), "?")
        self.assertEqual([event["data"] for event in of(turn)], ["Half"])
        self.assertIsInstance(turn.error, ConnectionError)
        self.assertEqual(turn.usage(), {"input_tokens": 3, "output_tokens": 2})

    def test_who_leaves_ends_it_at_once(self):
        async def script(double, text):
            yield {"data": "I think"}
            await asyncio.sleep(60)

        double = Double(script)
        turn = Turn(double, "?")
        events = turn.events()
        next(events)
        begun = time.monotonic()
        turn.end()
        self.assertTrue(double.ended.is_set())
        self.assertLess(time.monotonic() - begun, 5)
        turn.end()

    def test_a_model_waits_for_a_reader_that_does_not(self):
        async def script(double, text):
            for number in range(4 * MOST_WAITING):
                double.number = number
                yield {"data": "x"}

        double = Double(script)
        turn = Turn(double, "?")
        events = turn.events()
        next(events)
        until = time.monotonic() + 10
        while double.number < MOST_WAITING and time.monotonic() < until:
            time.sleep(0.01)
        self.assertLessEqual(double.number, MOST_WAITING + 2)
        turn.end()
        self.assertTrue(double.ended.is_set())

    def test_it_says_when_nothing_comes(self):
        async def script(double, text):
            await asyncio.sleep(0.5)
            yield {"data": "late"}

        events = list(Turn(Double(script), "?").events())
        self.assertIn(None, events)
        self.assertEqual(events[-1]["data"], "late")


class Failed(Exception):
    def __init__(self, status=None, code=None, body=None, cause=None):
        super().__init__("http://127.0.0.1:1/v1 sk-secret")
        if status:
            self.status_code = status
        self.code, self.body, self.__cause__ = code, body, cause


def named(name):
    return type(name, (Exception,), {})("http://127.0.0.1:1/v1 sk-secret")


class WordsTest(unittest.TestCase):
    def test_every_failure_of_the_gate_has_a_reason_of_its_own(self):
        table = [
            (402, "budget_exhausted", "budget"), (429, "rate_limited", "busy"), (503, "overloaded", "overloaded"), (504, "timeout", "slow"),
            (400, "context_length_exceeded", "long"), (400, "invalid_request", "wrong"), (401, "invalid_api_key", "refused"),
            (404, "unknown_model", "unknown"), (502, "credentials", "overloaded"), (500, None, "overloaded"),
        ]
        for status, code, kind in table:
            with self.subTest(status=status, code=code):
                self.assertEqual(model_words.kind_of(Failed(status, code)), kind)
                # As the SDK wraps it, and as it comes within a stream, without a status.
                wrapped = RuntimeError("wrapped")
                wrapped.original_exception = Failed(status, code)
                self.assertEqual(model_words.kind_of(wrapped), kind)
                if code in model_words._CODES:
                    self.assertEqual(model_words.kind_of(Failed(None, None, {"code": code})), kind)
                    self.assertEqual(model_words.kind_of(Failed(None, None, {"error": {"code": code}})), kind)

    def test_names_are_the_last_resort(self):
        for name, kind in [("APIConnectionError", "away"), ("APITimeoutError", "slow"), ("ConnectTimeout", "slow"), ("RemoteProtocolError", "broken"),
                           ("ModelThrottledException", "busy"), ("ContextWindowOverflowException", "long"), ("MaxTokensReachedException", "cut"), ("KeyError", "failed")]:
            self.assertEqual(model_words.kind_of(named(name)), kind, name)
        self.assertEqual(model_words.kind_of(Failed(402, None, None, named("APIConnectionError"))), "budget")

    def test_what_is_said_names_no_class_no_address_and_no_key(self):
        errors = [Failed(402), Failed(500), named("KeyError"), named("APIConnectionError")]
        for error in errors:
            for language in ("en", "zh"):
                said = model_words.why(error, "", language)
                self.assertTrue(said)
                for part in ("sk-", "127.0.0.1", "Error", "Exception", type(error).__name__):
                    self.assertNotIn(part, said)
        for english, chinese in model_words._WORDS.values():
            self.assertTrue(english.isascii())
            self.assertFalse(chinese.isascii())

    def test_a_turn_that_ended_well_says_nothing_more(self):
        self.assertEqual([model_words.why(None, reason, "en") for reason in ("end_turn", "stop_sequence", "")], ["", "", ""])
        self.assertIn("cut off", model_words.why(None, "max_tokens", "en"))


class SharedStateTest(unittest.TestCase):
    """AgentCore starts an agent from a picture of its memory: what a module makes at its import, all sessions share."""

    MAKERS = {"uuid", "random", "secrets", "time", "socket", "threading", "asyncio", "queue", "subprocess", "sqlite3", "boto3", "httpx", "requests", "openai", "strands", "urllib", "http", "tempfile"}
    CALLS = {"open", "input", "Session", "SessionStore", "StrandsAgent", "OpenAIModel", "BedrockModel"}
    METHODS = {"now", "today", "utcnow", "getenv", "urandom"}
    CHANGES = {"append", "add", "update", "extend", "pop", "popitem", "clear", "insert", "remove", "setdefault", "discard"}
    # Asks the kernel each time.
    STATELESS = {"SystemRandom"}
    # The agent's own files and words, read once: the same for everybody.
    CACHES = {("knowledge.py", "_data_sets"), ("synonyms.py", "_by_term"), ("synonyms.py", "_chinese")}

    def test_no_module_keeps_what_sessions_would_share(self):
        self.assertGreater(len(SOURCES), 60)
        found = [problem for path in SOURCES for problem in self.problems(path.name, ast.parse(path.read_text(encoding="utf-8")))]
        self.assertEqual(found, [])

    def test_the_lint_sees_what_it_is_there_for(self):
        for source in ("import uuid\nID = uuid.uuid4()", "import random\nr = random.Random(1)", "from datetime import datetime\nT = datetime.now()",
                       "from strands.models.openai import OpenAIModel\nm = OpenAIModel()", "import os\nK = os.environ['KEY']", "F = open('x')",
                       "seen = []\ndef f(x):\n    seen.append(x)", "seen = {}\ndef f(x):\n    seen[x] = 1", "n = 0\ndef f():\n    global n\n    n += 1"):
            self.assertTrue(self.problems("made_up.py", ast.parse(source)), source)
        for source in ("import re\nP = re.compile('x')", "import random\ndef f():\n    return random.random()", "A = [1]\ndef f():\n    a = []\n    a.append(1)\n    return a"):
            self.assertEqual(self.problems("made_up.py", ast.parse(source)), [], source)

    def problems(self, name, tree):
        names = {target.id for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign))
                 for target in (node.targets if isinstance(node, ast.Assign) else [node.target]) if isinstance(target, ast.Name)}
        found = []
        for node in self.at_import(tree):
            if isinstance(node, ast.Call) and self.makes(node.func):
                found.append("%s:%d: %s at import" % (name, node.lineno, ast.unparse(node.func)))
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                found.append("%s:%d: the environment is read at import" % (name, node.lineno))
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found += ["%s:%d: %s" % (name, function.lineno, change) for change in self.changes(function, names) if (name, change) not in self.CACHES]
        return found

    def makes(self, function):
        root = function
        while isinstance(root, ast.Attribute):
            root = root.value
        root = root.id if isinstance(root, ast.Name) else ""
        last = function.attr if isinstance(function, ast.Attribute) else root
        return last in self.CALLS or last in self.METHODS or (root in self.MAKERS and last not in self.STATELESS) or ast.unparse(function).startswith("os.environ")

    @staticmethod
    def at_import(tree):
        waiting = [node for node in tree.body]
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)):
                continue
            yield node
            waiting += ast.iter_child_nodes(node)

    def changes(self, function, names):
        own = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
        shared = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                shared |= set(node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
        names = names - own
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in self.CHANGES:
                target = node.func.value
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                target = node.value
            else:
                continue
            if isinstance(target, ast.Name) and target.id in names:
                shared.add(target.id)
        return sorted(shared)


class BusyTest(unittest.TestCase):
    def test_an_agent_is_busy_as_long_as_it_answers_somebody(self):
        server = AgentServer(None, None)
        self.assertEqual(server.ping()["status"], "Healthy")
        server.begin()
        server.begin()
        server.end()
        self.assertEqual(server.ping()["status"], "HealthyBusy")
        server.end()
        self.assertEqual(server.ping()["status"], "Healthy")


class OfflineTest(unittest.TestCase):
    def test_without_a_model_nothing_of_it_is_loaded(self):
        code = "import sys, runtime.server; print([m for m in sys.modules if 'strands' in m or 'model_' in m or m == 'asyncio'])"
        told = subprocess.run([sys.executable, "-S", "-c", code], cwd=agent_folder.TEMPLATE, capture_output=True, text=True, check=True)
        self.assertEqual(told.stdout.strip(), "[]")


if __name__ == "__main__":
    unittest.main()
