"""The offline engine: routes a message to tools and puts their results into words.

An engine has `model_id`, `answer(text, session)`, which yields events, and
`rebuild(session, history)`. The events are those of the HTTP stream:
{"event": "message", "type": "text" | "tool_use" | "tool_input" | "tool_end", ...}
and one last {"event": "metrics", "data": {...}}.

No language model runs here, so input and output tokens are 0: that is the truth,
not an estimate.
"""
from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any, Dict, Iterator, List, Optional

from runtime import limits, phrases
from runtime.pasted import split
from runtime.question import Call, Question
from runtime.refusal import Refused
from runtime.registry import Agent
from runtime.router import MAX_MESSAGE, Route, best_route, routes
from runtime.sessions import Session
from runtime.text import language_of

Event = Dict[str, Any]

log = logging.getLogger("agent.engine")


class OfflineEngine:
    """Answers with the agent's tools and knowledge only."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.model_id: str = agent.manifest.get("model_id", "offline/blueprint")

    def answer(self, text: str, session: Session) -> Iterator[Event]:
        """Answer one message; the caller holds the session's lock."""
        started = time.monotonic()
        language = phrases.answer_language(text, self.agent)
        session.add_message("user", text)
        said: List[str] = []
        reply = phrases.small_talk(text, self.agent, language)
        if reply is None:
            chosen, reply = self._decide(text, session, language)
            for route in chosen:
                for event in self._call(route, session, language):
                    if event["type"] == "text":
                        event["data"] = ("\n\n" if said else "") + event["data"]
                        said.append(event["data"])
                    yield event
            if chosen and reply:
                reply = "\n\n" + reply
        if reply is not None:
            said.append(reply)
            yield {"event": "message", "type": "text", "data": reply}
        session.add_message("assistant", "".join(said))
        yield {
            "event": "metrics",
            "data": {
                "input_tokens": 0,
                "output_tokens": 0,
                "duration_ms": round((time.monotonic() - started) * 1000, 3),
                "model_id": self.model_id,
            },
        }

    def _decide(self, text: str, session: Session, language: str) -> "tuple[List[Route], Optional[str]]":
        """The calls that answer a message, or what to say instead of a call."""
        if len(text) > MAX_MESSAGE:
            return [], phrases.too_long(MAX_MESSAGE, language)
        chosen = routes(text, session.recent_calls(), self.agent.tools, session.recent_text)
        instruction, pasted = split(text)
        session.keep_text(pasted)
        reason = self._refused(instruction, bool(chosen), language)
        if reason and not any(_does_it(route, limits.is_directed(instruction)) for route in chosen):
            return [], phrases.refusal(reason, self.agent, language)
        if not chosen:
            return [], phrases.cannot_answer(self.agent, language)
        calls = [route for route in chosen if not route.left_out and not route.proposal.ask]
        asks = [phrases.said(route.proposal.ask, language) for route in chosen if route.proposal.ask]
        for route in chosen:
            if route.proposal.ask:
                session.add_call(Call(route.tool.id, route.proposal.function, route.proposal.arguments, asked=True))
        asks += [phrases.unused(route.left_out, route.tool.label(language), route.tool.example(language), language)
                 for route in chosen if route.left_out and not route.proposal.ask]
        return calls, "\n\n".join(asks) or None

    def _refused(self, instruction: str, answered: bool, language: str) -> Optional[str]:
        """Why an instruction asks for something that this agent cannot do; None when it does not."""
        limit = limits.asked_for(instruction)
        if limit:
            return limit.why_zh if language == "zh" else limit.why
        entry = None if answered else limits.of_agent(instruction, limits.not_served(self.agent.manifest))
        reason = entry.get("reason", "").strip() if entry else ""
        if reason and language == "zh":
            reason = reason.rstrip("。") + "。"
        elif reason:
            reason = reason[0].upper() + reason[1:].rstrip(".") + "."
        return reason if reason and (language_of(reason) == "zh") == (language == "zh") else None

    def rebuild(self, session: Session, history: List[Dict[str, str]]) -> None:
        """Regain a session's context from its earlier messages, without calling any tool again."""
        for message in history:
            session.add_message(message["role"], message["content"])
            if message["role"] != "user" or len(message["content"]) > MAX_MESSAGE:
                continue
            session.keep_text(split(message["content"])[1])
            route = best_route(Question(message["content"], session.recent_calls(), session.recent_text), self.agent.tools)
            if route and not route.left_out:
                proposal = route.proposal
                session.add_call(Call(route.tool.id, proposal.function, proposal.arguments, asked=bool(proposal.ask)))

    def _call(self, route: Route, session: Session, language: str) -> Iterator[Event]:
        tool, proposal = route.tool, route.proposal
        call_id = "tool_" + uuid.uuid4().hex[:12]
        call = Call(tool.id, proposal.function, proposal.arguments)
        yield {"event": "message", "type": "tool_use", "tool_name": proposal.function, "tool_id": call_id}
        yield {
            "event": "message",
            "type": "tool_input",
            "tool_id": call_id,
            "data": json.dumps(proposal.arguments, ensure_ascii=False),
        }
        try:
            call.result = tool.call(proposal.function, proposal.arguments)
            text = tool.intent.say(proposal.function, proposal.arguments, call.result, language)
            shown = json.dumps(call.result, ensure_ascii=False)
        except Refused as error:
            call.ok, shown, text = False, str(error), error.text(language)
        except (ValueError, LookupError, OSError) as error:
            # What a tool raises on purpose: input it cannot work with.
            call.ok, shown = False, str(error.args[0] if error.args else error)
            text = phrases.tool_failed(tool.label(language), shown, language)
        except Exception as error:  # a bug in a tool must not end the session
            log.exception("%s failed", proposal.function)
            call.ok, shown = False, "%s: %s" % (type(error).__name__, error)
            text = phrases.tool_broke(tool.label(language), language)
        session.add_call(call)
        yield {
            "event": "message",
            "type": "tool_end",
            "tool_id": call_id,
            "tool_name": proposal.function,
            "tool_input": proposal.arguments,
            "tool_result": shown,
            "status": "success" if call.ok else "error",
        }
        yield {"event": "message", "type": "text", "data": text}


def _does_it(route: Route, directed: bool) -> bool:
    """True when a tool really does what sounds like something no agent can: "translate to morse", an FAQ on bookings."""
    # 语音导览多少钱 asks for the price of what is on the list, not for sound.
    priced = route.proposal.function == "quote_items" and not directed and route.proposal.confidence >= 0.9
    return priced or getattr(route.tool.intent, "DOES", False) and route.proposal.confidence >= 0.85 or (
        route.proposal.function == "answer_faq" and not directed and route.proposal.confidence >= 0.88)
