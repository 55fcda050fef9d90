"""From a question to tool calls: every tool's intent proposes, the surest proposal wins.

A proposal that computes says which figures of the question it uses. One that leaves a
figure out loses against one that uses them all, and is never answered: the engine says
which figure was left out instead.
"""
from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import List, Optional, Sequence

from runtime.figures import Figure, lowered
from runtime.pasted import question_alone
from runtime.question import Call, Proposal, Question
from runtime.registry import Tool

THRESHOLD = 0.5
# What a proposal loses against others when it leaves a figure of the question unused.
_UNUSED = 0.3
_QUESTION_WORDS = (
    r"what|how|which|who|when|where|is|are|do|does|can|convert|calculate|compute|list|show|count|find|give|tell|"
    r"summari[sz]e|encode|decode|hash|extract"
)
# Where one message holds two questions: after a question mark, or before "and" with a new question word.
_BORDER = re.compile(r"(?<=[?？；;])\s*(?=\S)|,?\s+and\s+(?:also\s+)?(?=(?:%s)\b)|(?<=[\w%%)])[.!]\s+(?=(?:and\s+)?(?:%s)\b)|(?<=[\u4e00-\u9fff])[，。]\s*(?:还有|另外)[，,]?(?=.{3})" % (_QUESTION_WORDS, _QUESTION_WORDS))
_MAX_PARTS = 5
# Longer messages are not looked at: matching by patterns would take too long.
MAX_MESSAGE = 60_000

log = logging.getLogger("agent.router")


@dataclass
class Route:
    """A proposal together with the tool it belongs to, and the figures of the question that it leaves out."""

    tool: Tool
    proposal: Proposal
    left_out: List[Figure] = field(default_factory=list)

    @property
    def strength(self) -> float:
        """How sure it is, less when a figure would be left out."""
        return self.proposal.confidence - (_UNUSED if self.left_out else 0)


def best_route(question: Question, tools: Sequence[Tool]) -> Optional[Route]:
    """The surest proposal above the threshold; on a tie the tool that stands first in the manifest."""
    alone = question_alone(question.text)
    about_data = question if alone == question.text else Question(alone, question.calls, question.recent_text)
    best: Optional[Route] = None
    for tool in tools:
        asked = question if getattr(tool.intent, "READS_TEXT", False) else about_data
        if not asked.text:
            continue
        try:
            proposal = tool.intent.propose(asked)
        except Exception:  # one intent's bug must not silence the others
            log.exception("the intent of %s failed", tool.id)
            continue
        if proposal is None or proposal.confidence < THRESHOLD:
            continue
        route = Route(tool, proposal, left_out(asked, proposal))
        if best is None or route.strength > best.strength:
            best = route
    return best


def left_out(question: Question, proposal: Proposal) -> List[Figure]:
    """The figures of the question that a computing proposal does not use."""
    if proposal.used is None or proposal.ask:
        return []
    used = list(proposal.used)

    def is_used(figure: Figure) -> bool:
        return any(figure.start < other.end and other.start < figure.end for other in used)

    return [figure for figure in question.figures if not figure.soft and figure.kind != "ordinal" and not is_used(figure)]


def routes(text: str, calls: List[Call], tools: Sequence[Tool], recent_text: Optional[str] = None) -> List[Route]:
    """The calls that answer a message: one, or one per question when it asks several things at once."""
    parts = _parts(text)
    if len(parts) > 1:
        found = [best_route(Question(part, calls, recent_text), tools) for part in parts]
        chosen = [route for route in found if route]
        statements = [part for part, route in zip(parts, found) if route is None and not _asks(part)]
        different = len({(route.tool.id, route.proposal.function, repr(route.proposal.arguments)) for route in chosen}) == len(chosen)
        if len(chosen) > 1 and len(chosen) + len(statements) == len(parts) and different and not any(route.left_out for route in chosen):
            return chosen
    whole = best_route(Question(text, calls, recent_text), tools)
    if whole and whole.left_out and len(parts) > 1:
        last = best_route(Question(parts[-1], calls, recent_text), tools)
        # "I have 3 kids. How much …" : a figure of another sentence is not this question's.
        if last and not last.left_out and last.proposal.used is None:
            return [last]
    return [whole] if whole else []


def _asks(part: str) -> bool:
    return bool(re.search(r"[?？]|\d|^(?:%s)\b" % _QUESTION_WORDS, part.strip(), re.IGNORECASE))


def _parts(text: str) -> List[str]:
    if "\n" in text or "```" in text or len(text) > 600 or re.search(r"[:：]\s", text):
        return [text]
    cuts = [0]
    for border in _BORDER.finditer(lowered(text)):
        cuts += [border.start(), border.end()]
    cuts.append(len(text))
    parts = [text[start:end].strip() for start, end in zip(cuts[::2], cuts[1::2]) if text[start:end].strip(" ?？;；")]
    return parts if 1 < len(parts) <= _MAX_PARTS else [text]
