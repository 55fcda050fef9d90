"""Tests of the agent as a whole: its manifest, its example questions, and the HTTP contract."""
import json
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from runtime.engine import OfflineEngine
from runtime.protocol import SESSION_HEADER, gather
from runtime.registry import Agent
from runtime.server import AgentServer
from runtime.sessions import Session, SessionStore

AGENT = Agent(Path(__file__).resolve().parent.parent)
ENGINE = OfflineEngine(AGENT)


def ask(text, session):
    return gather(ENGINE.answer(text, session), session.id)


class ManifestTest(unittest.TestCase):
    def test_every_example_reaches_its_tool(self):
        for example in AGENT.manifest["examples"]:
            with self.subTest(example["question"]):
                answer = ask(example["question"], Session("examples"))
                functions = next(tool for tool in AGENT.tools if tool.id == example["tool"]).functions
                self.assertEqual([call["status"] for call in answer["tool_calls"]], ["success"], answer["output"])
                self.assertIn(answer["tool_calls"][0]["name"], functions)
                self.assertIn(example["contains"], answer["output"])

    def test_files_named_by_the_manifest_exist(self):
        for path in [AGENT.manifest["prompt_path"], AGENT.manifest["entry_point"]] + AGENT.manifest["knowledge"]:
            self.assertTrue((AGENT.folder / path).is_file(), path)


class ConversationTest(unittest.TestCase):
    def test_says_what_it_can_do(self):
        answer = ask("what can you do?", Session("s"))
        for tool in AGENT.tools:
            self.assertIn(tool.label("en"), answer["output"])

    def test_says_plainly_when_it_cannot(self):
        answer = ask("qwxz vbnq zzyx", Session("s"))
        self.assertEqual(answer["tool_calls"], [])
        self.assertIn("cannot answer", answer["output"])

    def test_history_rebuilds_the_context(self):
        for example in AGENT.manifest["examples"][:3]:
            answered, rebuilt = Session("answered"), Session("rebuilt")
            ask(example["question"], answered)
            ENGINE.rebuild(rebuilt, [{"role": "user", "content": example["question"]}, {"role": "assistant", "content": "..."}])
            known = [[(call.function, call.arguments) for call in session.recent_calls()[:1]] for session in (answered, rebuilt)]
            self.assertEqual(known[0], known[1])

    def test_sessions_are_bounded(self):
        store = SessionStore(limit=2)
        first, new = store.get("a")
        self.assertTrue(new)
        store.get("b")
        self.assertIs(store.get("a")[0], first)
        store.get("c")
        self.assertEqual(len(store), 2)
        self.assertTrue(store.get("b")[1])


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = AgentServer(("127.0.0.1", 0), ENGINE)
        cls.base = "http://127.0.0.1:%d" % cls.server.server_address[1]
        threading.Thread(target=cls.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def post(self, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8")
        request = urllib.request.Request(self.base + "/invocations", data, {"Content-Type": "application/json", **headers})
        return urllib.request.urlopen(request, timeout=10)

    def test_ping(self):
        with urllib.request.urlopen(self.base + "/ping", timeout=10) as response:
            state = json.load(response)
        self.assertIn(state["status"], ("Healthy", "HealthyBusy"))
        self.assertIsInstance(state["time_of_last_update"], int)

    def test_json_answer_and_session_header(self):
        with self.post({"prompt": "help"}, **{SESSION_HEADER: "s" * 36}) as response:
            answer = json.load(response)
        self.assertEqual(answer["session_id"], "s" * 36)
        self.assertEqual(answer["usage"], {"input_tokens": 0, "output_tokens": 0})
        self.assertEqual(answer["model_id"], AGENT.manifest["model_id"])

    def test_stream(self):
        with self.post({"prompt": "help"}, Accept="text/event-stream") as response:
            frames = [json.loads(frame[6:]) for frame in response.read().decode("utf-8").split("\n\n") if frame]
        self.assertEqual([frame["event"] for frame in frames], ["message", "metrics", "done"])

    def test_bad_requests(self):
        for body in (b"{", b"[]", b"\xff", {"prompt": {"toolUse": {}}}, {"prompt": " "}, {}, {"prompt": "x", "history": 3}):
            with self.subTest(body), self.assertRaises(urllib.error.HTTPError) as caught:
                self.post(body)
            with caught.exception as response:
                self.assertEqual(response.code, 400)
                self.assertEqual(set(json.load(response)), {"error", "error_type", "message"})


if __name__ == "__main__":
    unittest.main()
