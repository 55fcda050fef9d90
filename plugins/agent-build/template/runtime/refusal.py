"""What a tool says when it cannot give an answer on purpose, in both languages of the agent."""
from __future__ import annotations


class Refused(ValueError):
    """A question that a tool understood but does not answer: what is missing, in English and in Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.zh = zh

    def text(self, language: str) -> str:
        """The reason in the asker's language."""
        return self.zh if language == "zh" else str(self)


class Unknown(Refused, LookupError):
    """Refused because what is asked for is not in the data."""
