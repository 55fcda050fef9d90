"""The engine with a language model, over the Strands Agents SDK (see requirements.txt).

Used when the environment names a model:

    MODEL_PROVIDER   openai | anthropic | ollama | bedrock
    MODEL_ID         the provider's name of the model
    OPENAI_BASE_URL, OPENAI_API_KEY / ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY /
    OLLAMA_HOST / AWS_REGION

The model gets the prompt file and the same functions of `tools/` that the offline
engine calls; events and sessions are the same for the caller.
"""
from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
import time
from typing import Any, Dict, Iterator, List

from runtime.registry import Agent
from runtime.sessions import Session

Event = Dict[str, Any]
_END = object()


class ModelEngine:
    """Answers with a language model that may call the agent's tools."""

    def __init__(self, agent: Agent) -> None:
        from strands import tool

        self.agent = agent
        self.provider = os.environ["MODEL_PROVIDER"].strip().lower()
        self.model_id = "%s/%s" % (self.provider, os.environ.get("MODEL_ID", "default"))
        self._model = _model(self.provider, os.environ.get("MODEL_ID", ""))
        self._tools = [tool(function) for entry in agent.tools for function in entry.functions.values()]
        self._prompt = agent.prompt()

    def answer(self, text: str, session: Session) -> Iterator[Event]:
        """Answer one message; the model's events are handed on as they come."""
        from strands import Agent as StrandsAgent

        started = time.monotonic()
        if session.engine_state is None:
            history = [{"role": message["role"], "content": [{"text": message["content"]}]} for message in session.messages]
            session.engine_state = StrandsAgent(
                model=self._model, tools=self._tools, system_prompt=self._prompt, messages=history, callback_handler=None
            )
        events: "queue.Queue[Any]" = queue.Queue()
        # Strands is asynchronous; a thread of its own keeps its event loop away from the server's threads.
        worker = threading.Thread(target=self._run, args=(session.engine_state, text, events), daemon=True)
        worker.start()
        said: List[str] = []
        usage = {"inputTokens": 0, "outputTokens": 0}
        while True:
            event = events.get()
            if event is _END:
                break
            if isinstance(event, BaseException):
                session.engine_state = None
                raise event
            if "usage" in event:
                usage = event["usage"]
                continue
            if event["type"] == "text":
                said.append(event["data"])
            yield event
        session.add_message("user", text)
        session.add_message("assistant", "".join(said))
        yield {
            "event": "metrics",
            "data": {
                "input_tokens": usage.get("inputTokens", 0),
                "output_tokens": usage.get("outputTokens", 0),
                "duration_ms": round((time.monotonic() - started) * 1000, 3),
                "model_id": self.model_id,
            },
        }

    def rebuild(self, session: Session, history: List[Dict[str, str]]) -> None:
        """Regain a session's context from its earlier messages."""
        for message in history:
            if message["role"] in ("user", "assistant"):
                session.add_message(message["role"], message["content"])

    def _run(self, strands_agent: Any, text: str, events: "queue.Queue[Any]") -> None:
        try:
            asyncio.run(_stream(strands_agent, text, events))
        except BaseException as error:  # handed to the waiting thread
            events.put(error)
        events.put(_END)


async def _stream(strands_agent: Any, text: str, events: "queue.Queue[Any]") -> None:
    """Translate Strands' events: text deltas, messages with tool uses and tool results, the final result."""
    used: Dict[str, Dict[str, Any]] = {}
    before = dict(strands_agent.event_loop_metrics.accumulated_usage)
    async for event in strands_agent.stream_async(text):
        if event.get("data"):
            events.put({"event": "message", "type": "text", "data": event["data"]})
        for block in (event.get("message") or {}).get("content", []):
            if "toolUse" in block:
                use = block["toolUse"]
                used[use["toolUseId"]] = use
                events.put({"event": "message", "type": "tool_use", "tool_name": use["name"], "tool_id": use["toolUseId"]})
                events.put({"event": "message", "type": "tool_input", "tool_id": use["toolUseId"], "data": json.dumps(use["input"], ensure_ascii=False)})
            elif "toolResult" in block:
                events.put(_tool_end(block["toolResult"], used.get(block["toolResult"]["toolUseId"], {})))
        if "result" in event:
            # The SDK counts over the agent's whole life; this answer's share is the difference.
            total = event["result"].metrics.accumulated_usage
            events.put({"usage": {key: total[key] - before.get(key, 0) for key in ("inputTokens", "outputTokens")}})


def _tool_end(result: Dict[str, Any], use: Dict[str, Any]) -> Event:
    parts = [part["text"] if "text" in part else json.dumps(part.get("json"), ensure_ascii=False) for part in result.get("content", [])]
    return {
        "event": "message",
        "type": "tool_end",
        "tool_id": result["toolUseId"],
        "tool_name": use.get("name", ""),
        "tool_input": use.get("input", {}),
        "tool_result": "\n".join(parts),
        "status": "success" if result.get("status") == "success" else "error",
    }


def _model(provider: str, model_id: str) -> Any:
    """The Strands model of a provider, set up from the environment."""
    if not model_id:
        raise ValueError("MODEL_PROVIDER is set but MODEL_ID is not")
    if provider == "openai":
        from strands.models.openai import OpenAIModel

        arguments = {"api_key": os.environ.get("OPENAI_API_KEY", "none"), "base_url": os.environ.get("OPENAI_BASE_URL")}
        return OpenAIModel(client_args={key: value for key, value in arguments.items() if value}, model_id=model_id)
    if provider == "anthropic":
        from strands.models.anthropic import AnthropicModel

        arguments = {"api_key": os.environ.get("ANTHROPIC_API_KEY", ""), "base_url": os.environ.get("ANTHROPIC_BASE_URL")}
        return AnthropicModel(client_args={key: value for key, value in arguments.items() if value}, model_id=model_id, max_tokens=4096)
    if provider == "ollama":
        from strands.models.ollama import OllamaModel

        return OllamaModel(os.environ.get("OLLAMA_HOST", "http://127.0.0.1:11434"), model_id=model_id)
    if provider == "bedrock":
        from strands.models.bedrock import BedrockModel

        return BedrockModel(model_id=model_id, region_name=os.environ.get("AWS_REGION"))
    raise ValueError("unknown MODEL_PROVIDER %r; known are: openai, anthropic, ollama, bedrock" % provider)
