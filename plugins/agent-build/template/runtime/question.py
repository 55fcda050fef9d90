"""A user's message as the intents see it, and what an intent answers."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from runtime.text import digits_for_numerals, has_cjk, language_of

_FENCE = re.compile(r"```[\w-]*\n?(.*?)```", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|『([^』]+)』|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)", re.DOTALL)
_COLON = re.compile(r":(?=\s)|：|:\s*$", re.MULTILINE)
_FOLLOW_UP = re.compile(
    r"^\s*(?:and\b|or\b|what about\b|how about\b|also\b|then\b|now\b|same (?:for|with)\b|in\b|to\b|as\b|那么?|还有|再|换成|如果是)", re.IGNORECASE
)


@dataclass
class Call:
    """A tool call that was made: the function's name, its tool, arguments and result."""

    tool: str
    function: str
    arguments: Dict[str, Any]
    result: Any = None
    ok: bool = True


@dataclass
class Proposal:
    """An intent's offer to answer: which function, with what, and how sure (0 to 1) it is the right one."""

    function: str
    arguments: Dict[str, Any]
    confidence: float


@dataclass
class Question:
    """One user message with its context.

    `text` is what the user wrote. `plain` has numerals written as digits and is what
    number parsing reads. `calls` are the calls of this session, newest last.
    """

    text: str
    calls: List[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.text.strip()
        self.lower = self.text.lower()
        self.plain = digits_for_numerals(self.text)
        self.language = language_of(self.text)
        self.is_follow_up = bool(_FOLLOW_UP.match(self.text)) or (len(self.text) < 40 and self.text.rstrip("?？ ").endswith("呢"))

    def has(self, *words: str) -> bool:
        """True when one of the words occurs: English on word boundaries, Chinese anywhere."""
        return any(self._has(word) for word in words)

    def _has(self, word: str) -> bool:
        if has_cjk(word):
            return word in self.lower
        return re.search(r"(?<![a-z0-9])%s(?![a-z0-9])" % re.escape(word), self.lower) is not None

    def has_all(self, *words: str) -> bool:
        """True when every one of the words occurs."""
        return all(self._has(word) for word in words)

    @property
    def instruction(self) -> str:
        """The message without its pasted text: what is asked, not what it is asked about."""
        body = self.payload()
        if body and body in self.text and body != self.text:
            return self.text.replace(body, " ", 1).lower()
        return self.lower

    def asks(self, *words: str) -> bool:
        """Like `has`, but looks at the instruction only, never inside pasted text."""
        instruction = self.instruction
        for word in words:
            if has_cjk(word):
                if word in instruction:
                    return True
            elif re.search(r"(?<![a-z0-9])%s(?![a-z0-9])" % re.escape(word), instruction):
                return True
        return False

    def payload(self) -> Optional[str]:
        """The text the user pasted: fenced, quoted, after a colon, or on the following lines."""
        fenced = _FENCE.search(self.text)
        if fenced:
            return fenced.group(1).strip("\n")
        colon = _COLON.search(self.text)
        quoted = [next(part for part in match if part) for match in _QUOTED.findall(self.text)]
        rest = self.text[colon.end() :].strip() if colon else ""
        if quoted and not (colon and len(rest) > len(max(quoted, key=len)) + 2):
            return max(quoted, key=len)
        if rest:
            return rest
        head, newline, tail = self.text.partition("\n")
        return tail.strip("\n") if newline and tail.strip() else None

    def text_or_recent(self) -> Optional[str]:
        """The pasted text, or the text an earlier call of this session worked on ("and how many words has it?")."""
        body = self.payload()
        if body:
            return body
        for call in reversed(self.calls):
            if isinstance(call.arguments.get("text"), str):
                return call.arguments["text"]
        return None

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
        if self.calls and self.calls[-1].ok and self.calls[-1].function in functions:
            return self.calls[-1]
        return None

    def numbers(self) -> List[float]:
        """All plain numbers of the message in order (thousands separators understood)."""
        found = re.findall(r"(?<![A-Za-z0-9_.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![A-Za-z0-9_.])-?\d+(?:\.\d+)?", self.plain)
        return [float(number.replace(",", "")) for number in found]
