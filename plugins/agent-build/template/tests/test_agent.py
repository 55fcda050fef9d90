"""Tests of the agent as a whole: its manifest, its example questions, and the HTTP contract."""
import json
import socket
import threading
import unittest
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
    """Over a pair of sockets: tests have no network."""

    server = AgentServer(None, ENGINE)

    def ask(self, method, path, body=None, **headers):
        body = body.encode() if isinstance(body, str) else body or b""
        headers = {"Host": "agent", "Connection": "close", "Content-Type": "application/json", "Content-Length": len(body), **headers}
        lines = ["%s %s HTTP/1.1" % (method, path)] + ["%s: %s" % header for header in headers.items()]
        answer = self.exchange("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        if headers.get("Transfer-Encoding") == "chunked":
            self.assertTrue(body.endswith(b"\r\n0\r\n\r\n"), body)
            body = b"".join(body.split(b"\r\n")[1:-3:2])
        return int(status.split()[1]), headers, body

    def exchange(self, request):
        """What is answered to these bytes, after which nothing more comes."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            serving = threading.Thread(target=self.server.finish_request, args=(theirs, ""), daemon=True)
            serving.start()
            ours.settimeout(10)
            ours.sendall(request)
            ours.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: ours.recv(65536), b""))
            serving.join(10)
        return answer

    def post(self, body, **headers):
        return self.ask("POST", "/invocations", body if isinstance(body, bytes) else json.dumps(body), **headers)

    def test_ping(self):
        status, _, body = self.ask("GET", "/ping")
        state = json.loads(body)
        self.assertEqual(status, 200)
        self.assertIn(state["status"], ("Healthy", "HealthyBusy"))
        self.assertIsInstance(state["time_of_last_update"], int)

    def test_json_answer_and_session_header(self):
        status, headers, body = self.post({"prompt": "help"}, **{SESSION_HEADER: "s" * 36})
        answer = json.loads(body)
        self.assertEqual((status, headers[SESSION_HEADER]), (200, "s" * 36))
        self.assertEqual(answer["session_id"], "s" * 36)
        self.assertEqual(answer["usage"], {"input_tokens": 0, "output_tokens": 0})
        self.assertEqual(answer["model_id"], AGENT.manifest["model_id"])

    def test_stream(self):
        _, _, body = self.post({"prompt": "help"}, Accept="text/event-stream")
        frames = [json.loads(frame[6:]) for frame in body.decode("utf-8").split("\n\n") if frame]
        self.assertEqual([frame["event"] for frame in frames], ["message", "metrics", "done"])

    def test_bad_requests(self):
        for body in (b"{", b"[]", b"\xff", {"prompt": {"toolUse": {}}}, {"prompt": " "}, {}, {"prompt": "x", "history": 3}):
            with self.subTest(body):
                status, _, answer = self.post(body)
                self.assertEqual((status, set(json.loads(answer))), (400, {"error", "error_type", "message"}))

    def test_what_is_no_request_is_told_so(self):
        for head, status in [
            ("hello", b"400"), ("GET /ping", b"400"), ("GET /ping HTTP/2.0", b"505"), ("PUT /ping HTTP/1.1", b"405"),
            ("GET /ping HTTP/1.1\r\nno header", b"400"), ("GET /ping HTTP/1.1\r\nHost : x", b"400"),
            ("GET /ping HTTP/1.1\r\nHost: a\r\nHost: b", b"400"), ("GET /ping HTTP/1.1\r\n" + "A: b\r\n" * 101, b"431"),
            ("GET /" + "x" * 70000, b"431"), ("POST /invocations HTTP/1.1", b"411"), ("GET /nowhere HTTP/1.1", b"404"),
            ("POST /invocations HTTP/1.1\r\nContent-Length: -1", b"411"), ("POST /invocations HTTP/1.1\r\nContent-Length: 9999999", b"413"),
            ("POST /invocations HTTP/1.1\r\nContent-Length: \xb2", b"411"),
        ]:
            with self.subTest(head[:60]):
                answer = self.exchange(head.encode("latin-1") + b"\r\n\r\n")
                self.assertEqual(answer.split()[1], status)
                self.assertEqual(set(json.loads(answer.partition(b"\r\n\r\n")[2])), {"error", "error_type", "message"})
        self.assertEqual(self.exchange(b""), b"")

    def test_a_connection_is_kept_while_nothing_is_left_unread(self):
        ping = b"GET /ping HTTP/1.1\r\nHost: agent\r\n"
        self.assertEqual(self.exchange((ping + b"\r\n") * 3).count(b"HTTP/1.1 200"), 3)
        self.assertEqual(self.exchange(ping + b"Content-Length: 4\r\n\r\nbody" + ping + b"\r\n").count(b"HTTP/1.1"), 1)
        self.assertEqual(self.exchange(ping + b"Connection: close\r\n\r\n" + ping + b"\r\n").count(b"HTTP/1.1"), 1)
        self.assertIn(b"HTTP/1.1 100", self.exchange(b"POST /invocations HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"))

    def test_only_who_names_the_token_is_answered(self):
        self.addCleanup(setattr, self.server, "token", "")
        self.server.token = "secret"
        self.assertEqual(self.ask("GET", "/ping")[0], 401)
        self.assertEqual(self.ask("GET", "/ping", Authorization="Bearer secre")[0], 401)
        self.assertEqual(self.ask("GET", "/ping", Authorization="Bearer secret")[0], 200)

    def test_pages_of_a_browser_are_turned_away(self):
        self.addCleanup(setattr, self.server, "only_local", False)
        self.server.only_local = True
        self.assertEqual(self.post({"prompt": "help"}, Host="127.0.0.1:8080")[0], 200)
        self.assertEqual(self.post({"prompt": "help"}, Host="agent.example.org")[0], 403)
        self.assertEqual(self.post({"prompt": "help"}, Host="127.0.0.1:8080", Origin="http://127.0.0.1:9000")[0], 403)
        self.assertEqual(self.ask("POST", "/invocations", "{}", **{"Host": "localhost", "Content-Type": "text/plain"})[0], 415)


if __name__ == "__main__":
    unittest.main()
