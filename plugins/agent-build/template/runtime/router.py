"""From a question to tool calls: every tool's intent proposes, the surest proposal wins."""
from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import List, Optional, Sequence

from runtime.question import Call, Proposal, Question
from runtime.registry import Tool

THRESHOLD = 0.5
_QUESTION_WORDS = (
    r"what|how|which|who|when|where|is|are|do|does|can|convert|calculate|compute|list|show|count|find|give|tell|"
    r"summari[sz]e|encode|decode|hash|extract"
)
# Where one message holds two questions: after a question mark, or before "and" with a new question word.
_BORDER = re.compile(r"(?<=[?？；;])\s*(?=\S)|,?\s+and\s+(?=(?:%s)\b)" % _QUESTION_WORDS, re.IGNORECASE)
_MAX_PARTS = 5
# Longer messages are not looked at: matching by patterns would take too long.
MAX_MESSAGE = 60_000

log = logging.getLogger("agent.router")


@dataclass
class Route:
    """A proposal together with the tool it belongs to."""

    tool: Tool
    proposal: Proposal


def best_route(question: Question, tools: Sequence[Tool]) -> Optional[Route]:
    """The surest proposal above the threshold; on a tie the tool that stands first in the manifest."""
    best: Optional[Route] = None
    for tool in tools:
        try:
            proposal = tool.intent.propose(question)
        except Exception:  # one intent's bug must not silence the others
            log.exception("the intent of %s failed", tool.id)
            continue
        if proposal is None or proposal.confidence < THRESHOLD:
            continue
        if best is None or proposal.confidence > best.proposal.confidence:
            best = Route(tool, proposal)
    return best


def routes(text: str, calls: List[Call], tools: Sequence[Tool]) -> List[Route]:
    """The calls that answer a message: one, or one per question when it asks several things at once."""
    parts = _parts(text)
    if len(parts) > 1:
        found = [best_route(Question(part, calls), tools) for part in parts]
        if all(found):
            chosen = [route for route in found if route]
            if len({(route.tool.id, repr(route.proposal.arguments)) for route in chosen}) == len(chosen):
                return chosen
    whole = best_route(Question(text, calls), tools)
    return [whole] if whole else []


def _parts(text: str) -> List[str]:
    if "\n" in text or "```" in text:
        return [text]
    parts = [part.strip() for part in _BORDER.split(text) if part and part.strip(" ?？;；")]
    return parts if 1 < len(parts) <= _MAX_PARTS else [text]
