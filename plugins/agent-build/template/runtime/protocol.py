"""What goes over the wire: reading a request, gathering events into one JSON answer."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional

MAX_BODY = 1024 * 1024
MAX_HISTORY = 80
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_MAX_SESSION_ID = 256


class BadRequest(ValueError):
    """The request cannot be served as it is; `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Invocation:
    """A checked request to `POST /invocations`."""

    prompt: str
    session_id: str
    history: List[Dict[str, str]]


def read_invocation(body: bytes, header_session: str) -> Invocation:
    """Check a request body. A prompt must be a string: anything else could smuggle in tool calls."""
    try:
        data = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadRequest("the body is not JSON: %s" % error) from error
    if not isinstance(data, dict):
        raise BadRequest("the body must be a JSON object")
    prompt = data.get("prompt")
    if not isinstance(prompt, str):
        raise BadRequest('"prompt" must be a string')
    if not prompt.strip():
        raise BadRequest('"prompt" is empty')
    session_id = header_session or data.get("session_id") or ""
    if not isinstance(session_id, str) or len(session_id) > _MAX_SESSION_ID:
        raise BadRequest('"session_id" must be a string of at most %d characters' % _MAX_SESSION_ID)
    return Invocation(prompt, session_id, _history(data.get("history")))


def _history(value: Any) -> List[Dict[str, str]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest('"history" must be a list')
    messages = []
    for entry in value[-MAX_HISTORY:]:
        if not isinstance(entry, dict) or not isinstance(entry.get("content"), str) or not isinstance(entry.get("role"), str):
            raise BadRequest('each entry of "history" needs the strings "role" and "content"')
        messages.append({"role": entry["role"], "content": entry["content"]})
    return messages


def gather(events: Iterable[Optional[Dict[str, Any]]], session_id: str) -> Dict[str, Any]:
    """Turn a stream of events into the one answer of a JSON request."""
    texts: List[str] = []
    calls: List[Dict[str, Any]] = []
    metrics: Dict[str, Any] = {}
    for event in events:
        if event is None:
            continue
        if event["event"] == "metrics":
            metrics = event["data"]
        elif event["type"] == "text":
            texts.append(event["data"])
        elif event["type"] == "tool_end":
            calls.append(
                {
                    "id": event["tool_id"],
                    "name": event["tool_name"],
                    "input": event["tool_input"],
                    "result": event["tool_result"],
                    "status": event.get("status", "success"),
                }
            )
    return {
        "output": "".join(texts),
        "session_id": session_id,
        "model_id": metrics.get("model_id"),
        "usage": {"input_tokens": metrics.get("input_tokens", 0), "output_tokens": metrics.get("output_tokens", 0)},
        "tool_calls": calls,
        "duration_ms": metrics.get("duration_ms"),
    }


def failure(error: BaseException, kind: str = "") -> Dict[str, str]:
    """The error object of the contract."""
    message = str(error.args[0]) if error.args else str(error)
    return {"error": message, "error_type": kind or type(error).__name__, "message": message}
