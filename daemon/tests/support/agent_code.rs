//! The code of small agents, which tests put in the place of what a build wrote.

/// A server by the contract of agents. `@answer@` is what it does with a question.
const SERVER: &str = r#"import json
import os
import socket
import socketserver
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer({"status": "Healthy"})

    def do_POST(self):
        prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
@answer@

class Server(ThreadingHTTPServer):
    def __init__(self):
        """On the socket that it was handed, else on the port that it was told."""
        if os.environ.get("LISTEN_FDS"):
            socketserver.BaseServer.__init__(self, "", Handler)
            self.socket = socket.socket(fileno=3)
        else:
            super().__init__(("127.0.0.1", int(os.environ["PORT"])), Handler)


Server().serve_forever()
"#;

fn server(answer: &str) -> String {
    let indented: String = answer.trim().lines().map(|line| format!("        {line}\n")).collect();
    SERVER.replace("@answer@\n", &indented)
}

/// Answers with this word and the question.
pub fn echo(word: &str) -> String {
    server(&format!("self.answer({{\"output\": \"{word} \" + prompt}})"))
}

/// Answers without an end, and writes the file `left` into its home when nobody listens any more.
pub fn endless() -> String {
    server(
        r#"
self.send_response(200)
self.send_header("Content-Type", "text/event-stream")
self.end_headers()
try:
    while True:
        frame = {"event": "message", "type": "text", "data": "tick "}
        self.wfile.write(b"data: " + json.dumps(frame).encode() + b"\n\n")
        self.wfile.flush()
        time.sleep(0.02)
except OSError:
    with open(os.path.join(os.environ["HOME"], "left"), "w") as file:
        file.write("x")
"#,
    )
}
