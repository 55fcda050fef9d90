"""AgentCore's data plane for archives, in front of the emulator, which has only the control plane for them.

usage: agentcore.py EMULATOR_URL. Prints its port; ends with its standard input. `POST …/invocations` runs the archive that
the runtime names, as AgentCore would: unpacked, with the runtime's variables and entry point, one process for each session
of a version. Everything else goes through to the emulator. `GET /_front/hold?at=N&when=before|after` leaves the N-th request
from then on without an answer, `GET /_front/held` answers when that has come to pass, `GET /_front/release` ends it.
"""
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EMULATOR = urllib.parse.urlsplit(sys.argv[1]).netloc
SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"
FOLDER = tempfile.TemporaryDirectory()
LOCK = threading.Lock()
PROCESSES = {}
HELD, RELEASED = threading.Event(), threading.Event()
STATE = {"seen": 0, "hold": None}


def emulator(method, path, headers, body=b""):
    connection = http.client.HTTPConnection(EMULATOR)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.getheaders(), response.read()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unpacked(key, bucket, headers):
    """The folder of an archive, with the rights that it names."""
    folder = os.path.join(FOLDER.name, key)
    if not os.path.isdir(folder):
        status, _, content = emulator("GET", "/%s/%s" % (bucket, urllib.parse.quote(key)), headers)
        assert status == 200, content
        archive = folder + ".packed"
        os.makedirs(os.path.dirname(archive), exist_ok=True)
        with open(archive, "wb") as file:
            file.write(content)
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                assert (entry.external_attr >> 16) & 0o777 == 0o644, entry
            packed.extractall(folder)
    return folder


def port_of(runtime, session, headers):
    """Where the process of a session listens; started if need be."""
    key = (runtime["agentRuntimeId"], runtime["agentRuntimeVersion"], session)
    with LOCK:
        if key not in PROCESSES:
            code = runtime["agentRuntimeArtifact"]["codeConfiguration"]
            place = code["code"]["s3"]
            folder = unpacked(place["prefix"], place["bucket"], headers)
            variables = dict(runtime["environmentVariables"])
            # In a machine of its own it would listen there.
            assert (variables["HOST"], variables["PORT"]) == ("0.0.0.0", "8080"), variables
            port = free_port()
            variables.update(HOST="127.0.0.1", PORT=str(port), PATH=os.environ["PATH"], PYTHONDONTWRITEBYTECODE="1")
            command = ["python3", *code["entryPoint"]]
            PROCESSES[key] = (subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL), port)
        process, port = PROCESSES[key]
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/ping")
            assert connection.getresponse().status == 200
            return port
        except OSError:
            assert process.poll() is None, "the agent ended"
            time.sleep(0.02)


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Content-Length", dict(headers).get("Content-Length", "0"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def control(self):
        what = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(what.query))
        if what.path.endswith("/hold"):
            HELD.clear(), RELEASED.clear()
            with LOCK:
                STATE.update(seen=0, hold=(int(query["at"]), query["when"]))
        elif what.path.endswith("/held"):
            HELD.wait(30)
        elif what.path.endswith("/release"):
            with LOCK:
                STATE["hold"] = None
            RELEASED.set()
        self.reply(200, [], json.dumps({"seen": STATE["seen"], "held": HELD.is_set()}).encode())

    def any(self):
        if self.path.startswith("/_front/"):
            return self.control()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK:
            STATE["seen"] += 1
            hold = STATE["hold"] if STATE["hold"] and STATE["hold"][0] == STATE["seen"] else None
        if hold and hold[1] == "before":
            return self.held()
        path = self.path.split("?")[0]
        if path.startswith("/runtimes/") and path.endswith("/invocations"):
            return self.invocation(urllib.parse.unquote(path[len("/runtimes/"):-len("/invocations")]), body)
        answer = emulator(self.command, self.path, dict(self.headers.items()), body)
        if hold:
            return self.held()
        return self.reply(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = any

    def held(self):
        HELD.set()
        RELEASED.wait(60)
        self.close_connection = True

    def invocation(self, arn, body):
        assert len(self.headers[SESSION]) >= 33, self.headers[SESSION]
        headers = {"authorization": self.headers["authorization"]}
        status, _, found = emulator("GET", "/runtimes/" + urllib.parse.quote(arn.split("/")[-1]), headers)
        if status != 200:
            return self.reply(404, [("x-amzn-errortype", "ResourceNotFoundException")], b'{"message": "no such runtime"}')
        of_s3 = {"authorization": headers["authorization"].replace("/bedrock-agentcore/", "/s3/")}
        port = port_of(json.loads(found), self.headers[SESSION], of_s3)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        passed_on = {name: self.headers[name] for name in ("content-type", "accept", SESSION)}
        connection.request("POST", "/invocations", body, passed_on)
        answer = connection.getresponse()
        if answer.status >= 400:
            message = json.dumps({"message": answer.read().decode()}).encode()
            return self.reply(424, [("x-amzn-errortype", "RuntimeClientError")], message)
        self.send_response(200)
        self.send_header("Content-Type", answer.getheader("content-type"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Front)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
for running, _ in PROCESSES.values():
    running.kill()
