"""A user's message as the intents see it, and what an intent answers."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Dict, Iterable, List, Optional, Sequence

from runtime.measures import Measure, read_measures
from runtime.figures import Figure, in_digits, plain, read_figures
from runtime.pasted import split
from runtime.text import has_cjk, language_of

_FOLLOW_UP = re.compile(
    r"^\s*(?:(?:ok(?:ay)?|good|great|thanks|好的?|嗯)[,，.!！ ]+)?(?:and\b|or\b|but\b|what about\b|how about\b|what if\b|also\b|then\b|now\b|plus\b|same\b|instead\b|"
    r"in\b|to\b|as\b|for\b|with\b|without\b|on\b|at\b|make (?:it|that)\b|which one|那|还有|再|换成|换|如果|要是|改成|同样|另外|加上|一样)"
)


@dataclass
class Call:
    """A tool call that was made: the function's name, its tool, arguments and result."""

    tool: str
    function: str
    arguments: Dict[str, Any]
    result: Any = None
    ok: bool = True
    asked: bool = False  # the agent asked back; `arguments` hold what is known so far


@dataclass
class Proposal:
    """An intent's offer to answer: which function, with what, and how sure (0 to 1) it is the right one.

    `used` are the figures of the question that the call works with; the router refuses
    a call that leaves others out. None says that the call computes nothing (it quotes a
    text, or works on a pasted one). `ask` is a question back, as {"en": …, "zh": …},
    said instead of a call.
    """

    function: str
    arguments: Dict[str, Any]
    confidence: float
    used: Optional[Sequence[Figure]] = None
    ask: Optional[Dict[str, str]] = None


@dataclass
class Question:
    """One user message with its context.

    `text` is what the user wrote, `calls` are the calls of this session, newest last,
    `recent_text` the last text that was pasted in it.
    """

    text: str
    calls: List[Call] = field(default_factory=list)
    recent_text: Optional[str] = None

    def __post_init__(self) -> None:
        self.text = self.text.strip()
        self.lower = plain(self.text).lower()
        self.language = language_of(self.text)
        short = len(self.text) < 40
        self.is_follow_up = bool(_FOLLOW_UP.match(self.lower)) or (short and self.text.rstrip("?？!！。 ").endswith(("呢", "then", "instead", "too")))

    @cached_property
    def figures(self) -> List[Figure]:
        """Every figure of the message in order."""
        return read_figures(self.text) if len(self.text) <= 2000 else []

    def figures_outside(self, names: Iterable[Any]) -> List[Figure]:
        """The figures that stand in no known name (each with `start` and `end`)."""
        return read_figures(self.text, [(name.start, name.end) for name in names])

    @cached_property
    def measures(self) -> List[Measure]:
        """Every figure that has a unit."""
        return read_measures(self.text, self.figures)

    @cached_property
    def plain(self) -> str:
        """The message with numerals written as digits."""
        return in_digits(self.text, self.figures)

    def of_kind(self, *kinds: str) -> List[Figure]:
        """The figures of these kinds."""
        return [figure for figure in self.figures if figure.kind in kinds]

    def numbers(self) -> List[Decimal]:
        """The plain numbers of the message in order."""
        return [figure.value for figure in self.figures if figure.kind == "number" and not figure.soft]

    def has(self, *words: str) -> bool:
        """True when one of the words occurs: English on word boundaries, Chinese anywhere."""
        return any(self._has(word, self.lower) for word in words)

    @staticmethod
    def _has(word: str, text: str) -> bool:
        if word not in text:
            return False
        return has_cjk(word) or re.search(r"(?<![a-z0-9])%s(?![a-z0-9])" % re.escape(word), text) is not None

    def has_all(self, *words: str) -> bool:
        """True when every one of the words occurs."""
        return all(self._has(word, self.lower) for word in words)

    @cached_property
    def _split(self) -> "tuple[str, Optional[str]]":
        return split(self.text)

    @property
    def instruction(self) -> str:
        """The message without its pasted text: what is asked, not what it is asked about."""
        return self._split[0].lower()

    def payload(self) -> Optional[str]:
        """The text the user pasted: fenced, quoted, after a colon, or on the following lines."""
        return self._split[1]

    def asks(self, *words: str) -> bool:
        """Like `has`, but looks at the instruction only, never inside pasted text."""
        instruction = self.instruction
        return any(self._has(word, instruction) for word in words)

    def text_or_recent(self) -> Optional[str]:
        """The pasted text, or the last one of this session ("and how many words has it?")."""
        if self.payload():
            return self.payload()
        for call in reversed(self.calls):
            if isinstance(call.arguments.get("text"), str):
                return call.arguments["text"]
        return self.recent_text

    def after(self, *markers: str) -> Optional[str]:
        """The rest of the message behind the first of the markers that occurs, without closing punctuation."""
        for marker in markers:
            pattern = re.escape(marker) if has_cjk(marker) else r"(?<!\w)%s(?!\w)" % re.escape(marker)
            match = re.search(pattern + r"\s*[:：]?\s*(.+)$", self.text, re.IGNORECASE | re.DOTALL)
            if match and match.group(1).strip(" ?？。.!"):
                return match.group(1).strip().rstrip("?？。!").strip().strip("\"'“”")
        return None

    def previous(self, *functions: str) -> Optional[Call]:
        """The session's last call when it was one of these functions and went well."""
        last = self.calls[-1] if self.calls else None
        return last if last and last.ok and not last.asked and last.function in functions else None

    def pending(self, *functions: str) -> Optional[Call]:
        """The session's last call when it asked back or could not be done as it was: this message may complete it."""
        last = self.calls[-1] if self.calls else None
        return last if last and (last.asked or not last.ok) and last.function in functions else None
