"""An agent that does what the prompt says. How it starts is told by START in its environment."""
import json
import mmap
import os
import signal
import socket
import socketserver
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

START = os.environ.get("START", "")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def setup(self):
        self.client_address = ("agent", 0)
        super().setup()

    def parse_request(self):
        if not super().parse_request():
            return False
        token = os.environ["AGENT_TOKEN"]
        if not isinstance(self.server, SocketServer) or self.headers["Authorization"] == "Bearer " + token:
            return True
        self.send_error(401)
        return False

    def do_GET(self):
        if START == "deaf":
            time.sleep(1000)
        if START == "unhealthy":
            self.send_error(500)
            return
        self.send_json({"status": "HealthyBusy" if START == "busy" else "Healthy"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        command, _, argument = body["prompt"].partition(" ")
        getattr(self, "do_" + command)(argument, body)

    def send_json(self, value, status=200):
        self.send_bytes(json.dumps(value).encode(), "application/json", status)

    def send_bytes(self, data, kind, status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self, kind="text/event-stream"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def frame(self, value):
        self.chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def text(self, text):
        self.frame({"event": "message", "type": "text", "data": text})

    def end(self):
        self.frame({"event": "done"})
        self.chunk(b"")

    # -- good answers

    def do_stream(self, argument, body):
        self.begin()
        self.text("two and two ")
        tool = {"event": "message", "tool_id": "t1", "tool_name": "add"}
        self.frame({**tool, "type": "tool_use"})
        self.frame({**tool, "type": "tool_input", "data": '{"a": 2, "b": 2}'})
        self.frame({**tool, "type": "tool_end", "tool_input": {"a": 2, "b": 2}, "tool_result": "4"})
        self.text("is 4")
        self.frame({"event": "metrics", "data": {"input_tokens": 7, "output_tokens": 9, "model_id": "puppet"}})
        self.end()

    def do_json(self, argument, body):
        call = {"id": "c", "name": "add", "input": {}, "result": "4", "status": "error"}
        self.send_json({"output": "plain", "usage": {"input_tokens": 1, "output_tokens": 2}, "tool_calls": [call]})

    def do_strings(self, argument, body):
        self.begin()
        for value in ("one ", {"data": "two "}, {"text": "three"}, {"init_event_loop": True}):
            self.frame(value)
        self.chunk(b"")

    def do_plain(self, argument, body):
        self.send_bytes(argument.encode(), "text/plain")

    def do_echo(self, argument, body):
        session = self.headers["X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"]
        self.send_json({"response": json.dumps({"body": body, "session": session})})

    def do_letters(self, argument, body):
        self.begin()
        frame = b'data: {"event": "message", "type": "text", "data": "x"}\n\n'
        self.chunk(frame * int(argument))
        self.end()

    def do_drip(self, argument, body):
        self.begin()
        for number in range(int(argument)):
            self.text("%d " % number)
            time.sleep(0.15)
        self.end()

    def do_env(self, argument, body):
        self.send_json({"output": json.dumps(dict(os.environ))})

    def do_pid(self, argument, body):
        time.sleep(float(argument or 0))
        self.send_json({"output": str(os.getpid())})

    def do_descriptors(self, argument, body):
        kinds = [os.readlink("/proc/self/fd/%d" % fd) for fd in range(3, 1024) if os.path.lexists("/proc/self/fd/%d" % fd)]
        self.send_json({"output": json.dumps(kinds)})

    def do_limits(self, argument, body):
        import resource
        names = ("RLIMIT_DATA", "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_CPU")
        self.send_json({"output": json.dumps({name: resource.getrlimit(getattr(resource, name)) for name in names})})

    # -- bad answers

    def do_crash(self, argument, body):
        self.begin()
        self.text("so far ")
        print("the puppet breaks", file=sys.stderr, flush=True)
        os._exit(3)

    def do_hang(self, argument, body):
        time.sleep(1000)

    def do_stall(self, argument, body):
        self.begin()
        self.text("so far ")
        time.sleep(1000)

    def do_freeze(self, argument, body):
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1000)  # this thread may run on for a moment

    def do_forever(self, argument, body):
        self.begin()
        while True:
            self.text("x")
            time.sleep(0.1)

    def do_garbage(self, argument, body):
        if argument == "http":
            self.wfile.write(b"\x00\x01 this is no http\r\n\r\n")
        elif argument == "json":
            self.send_bytes(b'{"output": ', "application/json")
        elif argument == "binary":
            self.send_bytes(b"\x00\xff\xfe", "application/octet-stream")
        elif argument == "frame":
            self.begin()
            self.chunk(b"data: \xff\xfe\n\n")
        elif argument == "head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000000 + b"\r\n\r\n")
        elif argument == "length":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{}")
        self.close_connection = True

    def do_flood(self, argument, body):
        self.begin("text/event-stream" if argument in ("line", "frames") else "text/plain")
        block = b"x" * 65536
        while True:
            self.chunk(b"data: " + block + b"\n\n" if argument == "frames" else block)

    def do_report(self, argument, body):
        self.begin()
        self.text("half ")
        self.frame({"error": "boom", "error_type": argument, "message": "it went wrong"})
        self.end()

    def do_status(self, argument, body):
        self.send_json({"error": "E", "error_type": "BadRequest", "message": "not like this"}, int(argument))

    def do_cut(self, argument, body):
        self.begin()
        self.text("half ")
        self.close_connection = True

    # -- mischief

    def do_try(self, argument, body):
        """Says what an attempt came to: an error's name, or what it gave."""
        try:
            self.send_json({"output": repr(eval(argument, dict(globals())))})
        except Exception as error:
            self.send_json({"output": type(error).__name__})

    def do_stray(self, argument, body):
        """Twice forked, in a session of its own, without environment, deaf to signals."""
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            child = os.fork()
            if child != 0:
                os.write(writer, b"%d" % child)
                os._exit(0)
            os.closerange(0, 64)
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        self.send_json({"output": os.read(reader, 20).decode()})

    def do_child(self, argument, body):
        child = subprocess.Popen(["sleep", "1000"], start_new_session=argument == "apart")
        self.send_json({"output": str(child.pid)})

    def do_mute(self, argument, body):
        os.close(1)
        os.close(2)
        self.send_json({"output": "muted"})

    def do_shout(self, argument, body):
        for number in range(int(argument)):
            print("line %06d %s" % (number, "x" * 80))
        sys.stdout.flush()
        self.send_json({"output": "hoarse"})

    def do_notice(self, argument, body):
        """Streams until the client is gone, then leaves a file."""
        self.begin()
        try:
            while True:
                self.text(".")
                time.sleep(0.05)
        except OSError:
            with open(argument, "w") as file:
                file.write("gone")

    def do_memory(self, argument, body):
        try:
            block = bytearray(int(argument) << 20)
            self.send_json({"output": "got %d" % len(block)})
        except MemoryError:
            self.send_json({"output": "refused"})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class SocketServer(Server):
    """On the socket that it was handed."""

    def __init__(self):
        socketserver.BaseServer.__init__(self, "", Handler)
        self.socket = socket.socket(fileno=3)


def main():
    port = int(os.environ["PORT"])
    with open(os.path.join(os.environ["HOME"], "starts"), "a") as file:
        file.write("%d\n" % os.getpid())
    if START == "crash":
        print("cannot go on: no module named wisdom", file=sys.stderr)
        sys.exit(7)
    if START == "hang":
        print("thinking about it", flush=True)
        time.sleep(1000)
    if START == "needs-port" and port == 0:
        sys.exit("port must be from 1 to 65535")
    if START == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if START == "flood":
        while True:
            print("y" * 1000)
    if START == "slow":
        time.sleep(0.7)
    handed = os.environ.get("LISTEN_PID") == str(os.getpid())
    server = SocketServer() if handed else Server((os.environ["HOST"], port), Handler)
    if handed:
        print(json.dumps({"event": "listening"}), flush=True)
    elif START not in ("silent", "needs-port"):
        print(json.dumps({"event": "listening", "host": "127.0.0.1", "port": server.server_address[1]}), flush=True)
    server.serve_forever(poll_interval=0.05)


main()
