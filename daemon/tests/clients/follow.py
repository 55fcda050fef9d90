"""A client that knows only section 3 of the wire contract: it posts a requirement, follows the build to its end and then
a chat to `done`. Events are read as a browser's `fetch` reads them: the text is split on blank lines, and of each block
the first line that begins with `data: ` counts.

follow.py http://HOST:PORT REQUIREMENT QUESTION
"""

import http.client
import json
import sys
import time
import urllib.parse

base = urllib.parse.urlsplit(sys.argv[1])
requirement, question = sys.argv[2:4]


def call(method, path, body=None):
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=60)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, "/api/v2" + path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    return response


def data(method, path, body=None):
    response = call(method, path, body)
    answer = json.loads(response.read())
    if not 200 <= response.status < 300:
        sys.exit(f"{method} {path}: {response.status} {answer.get('message') or answer.get('detail')}")
    return answer["data"]


def events(response):
    """The stream's events, as they come."""
    if response.status != 200 or not response.headers["Content-Type"].startswith("text/event-stream"):
        sys.exit(f"no stream: {response.status} {response.read()!r}")
    text = ""
    while piece := response.read1(65536):
        text += piece.decode("utf-8")
        while "\n\n" in text:
            block, text = text.split("\n\n", 1)
            for line in block.split("\n"):
                if line.startswith("data: "):
                    yield json.loads(line[len("data: "):])
                    break


project = data("POST", "/projects", {"requirement": requirement})["project_id"]
seen, last = set(), None
for event in events(call("GET", f"/projects/{project}/events")):
    seen.add(event["type"])
    if event["type"] == "end":
        last = event
        break
if last is None or last["status"] != "completed" or not {"project", "stage", "agent"} <= seen:
    sys.exit(f"the build did not end well: {last}, seen: {seen}")

for _ in range(200):
    agents = data("GET", f"/agents?project_id={project}")
    if agents and agents[0]["status"] == "running":
        break
    time.sleep(0.1)
else:
    sys.exit("no agent runs")

session = data("POST", f"/agents/{agents[0]['agent_id']}/sessions")["session_id"]
answer, kinds = "", []
for event in events(call("POST", f"/sessions/{session}/stream", {"content": question})):
    kinds.append(event["event"])
    if event.get("type") == "text":
        answer += event["data"]
    if event["event"] == "done":
        break
if not kinds or kinds[0] != "connected" or kinds[-1] != "done" or "error" in kinds or not answer:
    sys.exit(f"the chat did not end well: {kinds} {answer!r}")
messages = data("GET", f"/sessions/{session}/messages")
if [message["role"] for message in messages] != ["user", "assistant"] or messages[1]["content"] != answer:
    sys.exit(f"what was said is not what is stored: {messages}")
print(answer)
