"""The engine with a language model, over the Strands Agents SDK (see requirements.txt).

Used when the environment names a model:

    MODEL_PROVIDER     openai | anthropic | ollama | bedrock
    MODEL_ID           the provider's name of the model, or an alias of nexusd's gate
    MODEL_MAX_TOKENS   the longest answer of one call of the model
    OPENAI_BASE_URL, OPENAI_API_KEY / ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY /
    OLLAMA_HOST / AWS_REGION

Below nexusd it is always `openai`, at the daemon's gate: the key is a token that
names this agent, and no provider's key is anywhere near it.

The model gets the prompt file and the same functions of `tools/` that the offline
engine calls; events and sessions are the same for the caller.
"""
from __future__ import annotations

import functools
import json
import logging
import os
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from runtime import model_words, phrases
from runtime.model_turn import Turn
from runtime.refusal import Refused
from runtime.registry import Agent
from runtime.sessions import Session

Event = Dict[str, Any]

log = logging.getLogger("agent.model")


class ModelEngine:
    """Answers with a language model that may call the agent's tools.

    It holds what is the same for all sessions and never changes: no client, no connection, no conversation.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.provider = os.environ["MODEL_PROVIDER"].strip().lower()
        self.model_name = os.environ.get("MODEL_ID", "").strip()
        self.model_id = "%s/%s" % (self.provider, self.model_name)
        self._prompt = agent.prompt()
        # Missing packages and wrong settings end the start, not the first answer.
        import strands  # noqa: F401

        _model(self.provider, self.model_name)

    def answer(self, text: str, session: Session) -> Iterator[Optional[Event]]:
        """Answer one message; the model's events are handed on as they come, and None now and then while none does."""
        started = time.monotonic()
        language = phrases.answer_language(text, self.agent)
        if session.engine_state is None:
            session.engine_state = self._begin(session)
        turn = Turn(session.engine_state, text)
        said: List[str] = []
        session.add_message("user", text)
        try:
            for event in turn.events():
                if event is not None and event["type"] == "text":
                    said.append(event["data"])
                yield event
        except GeneratorExit:
            # Who asked has left, and the model stops with him. What it holds may end in the middle of a call.
            session.engine_state = None
            session.add_message("assistant", "".join(said))
            raise
        finally:
            turn.end()
        if turn.error is not None:
            kind = model_words.kind_of(turn.error)
            log.warning("no answer of the model (%s): %s", kind, turn.error, exc_info=turn.error if kind == "failed" else None)
            session.engine_state = None
        reason = model_words.why(turn.error, turn.stop_reason, language)
        if reason:
            yield {"event": "message", "type": "text", "data": ("\n\n" if said else "") + reason}
        # Without the reason: a model that reads it again would take it for its own.
        session.add_message("assistant", "".join(said))
        yield {
            "event": "metrics",
            "data": {
                **turn.usage(),
                "duration_ms": round((time.monotonic() - started) * 1000, 3),
                "model_id": self.model_id,
            },
        }

    def rebuild(self, session: Session, history: List[Dict[str, str]]) -> None:
        """Regain a session's context from its earlier messages."""
        for message in history:
            if message["role"] in ("user", "assistant"):
                session.add_message(message["role"], message["content"])

    def _begin(self, session: Session) -> Any:
        """What the SDK needs for one conversation. Nothing of it is shared with another."""
        import strands

        return strands.Agent(
            model=_model(self.provider, self.model_name),
            tools=[strands.tool(_plain(function, session)) for entry in self.agent.tools for function in entry.functions.values()],
            system_prompt=self._prompt,
            messages=_history(session),
            callback_handler=None,
            # The gate has tried again whatever is worth it; more would only make a person wait.
            retry_strategy=None,
        )


def _history(session: Session) -> List[Dict[str, Any]]:
    """The session's messages as a model takes them: beginning with the user's, and by turns."""
    turns: List[Dict[str, Any]] = []
    for message in session.messages:
        if not message["content"].strip() or (not turns and message["role"] != "user"):
            continue
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1]["content"].append({"text": message["content"]})
        else:
            turns.append({"role": message["role"], "content": [{"text": message["content"]}]})
    # The question comes behind it.
    return turns[:-1] if turns and turns[-1]["role"] == "user" else turns


def _plain(function: Callable[..., Any], session: Session) -> Callable[..., Any]:
    """The function with its result, or why there is none, in words: no class name of Python is for a model or a user."""

    @functools.wraps(function)
    def call(*positional: Any, **named: Any) -> Dict[str, Any]:
        try:
            result = function(*positional, **named)
            return {"status": "success", "content": [{"text": json.dumps(result, ensure_ascii=False, default=str)}]}
        except Refused as error:
            text = str(error)
        except (ValueError, LookupError, OSError) as error:
            text = str(error.args[0] if error.args else error)
        except Exception:
            log.exception("%s failed in session %s", function.__name__, session.id)
            text = "the tool itself is broken; say so, and do not call it again"
        return {"status": "error", "content": [{"text": text}]}

    return call


def _model(provider: str, model_name: str) -> Any:
    """A Strands model, set up from the environment."""
    if not model_name:
        raise SystemExit("MODEL_PROVIDER is set but MODEL_ID is not")
    longest = int(os.environ.get("MODEL_MAX_TOKENS") or 0)
    if provider == "openai":
        from strands.models.openai import OpenAIModel

        arguments: Dict[str, Any] = {"api_key": os.environ.get("OPENAI_API_KEY", "none"), "max_retries": 0}
        if os.environ.get("OPENAI_BASE_URL"):
            arguments["base_url"] = os.environ["OPENAI_BASE_URL"]
        return OpenAIModel(client_args=arguments, model_id=model_name, params={"max_tokens": longest} if longest else {})
    if provider == "anthropic":
        from strands.models.anthropic import AnthropicModel

        arguments = {"api_key": os.environ.get("ANTHROPIC_API_KEY", ""), "base_url": os.environ.get("ANTHROPIC_BASE_URL")}
        return AnthropicModel(client_args={key: value for key, value in arguments.items() if value}, model_id=model_name, max_tokens=longest or 4096)
    if provider == "ollama":
        from strands.models.ollama import OllamaModel

        return OllamaModel(os.environ.get("OLLAMA_HOST", "http://127.0.0.1:11434"), model_id=model_name)
    if provider == "bedrock":
        from strands.models.bedrock import BedrockModel

        return BedrockModel(model_id=model_name, region_name=os.environ.get("AWS_REGION"), **({"max_tokens": longest} if longest else {}))
    raise SystemExit("unknown MODEL_PROVIDER %r; known are: openai, anthropic, ollama, bedrock" % provider)
