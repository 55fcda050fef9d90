"""Questions in people's own words, over data of many kinds, in both languages: figures right, unknown things named, impossible ones refused.

Each conversation is one session. What an answer must hold is a list of texts; "!" before
one says that it must not occur. "refuse" means that the agent declines or asks back, and
calls nothing with success. Run: `python3 -m unittest discover -s catalogue/tests -p test_conversations.py`.
"""
import json
import logging
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from agent_folder import CATALOGUE  # noqa: E402
from abilities import IMPOSSIBLE, POSSIBLE  # noqa: E402
from conversations import CONVERSATIONS  # noqa: E402
from more_conversations import MORE_CONVERSATIONS  # noqa: E402
from runtime import knowledge  # noqa: E402
from runtime.engine import OfflineEngine  # noqa: E402
from runtime.limits import asked_for  # noqa: E402
from runtime.protocol import gather  # noqa: E402
from runtime.registry import Tool  # noqa: E402
from runtime.sessions import Session  # noqa: E402
from runtime.text import has_cjk  # noqa: E402


class BuiltAgent:
    """What the engine needs of an agent, without a folder."""

    def __init__(self, about):
        self.name, self.language = about["name"], about.get("language", "en")
        self.manifest = {"display_name": about["name"], "model_id": "offline/blueprint", "not_served": about.get("not_served", [])}
        self.tools = [Tool(json.loads((CATALOGUE / tool / "tool.json").read_text(encoding="utf-8"))) for tool in about["tools"]]


class Heard(logging.Handler):
    """Keeps what the runtime logs: an intent that fails is a fault, although the agent goes on."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


class ConversationTest(unittest.TestCase):
    def setUp(self):
        self.heard = Heard()
        logging.getLogger("agent").addHandler(self.heard)
        self.addCleanup(logging.getLogger("agent").removeHandler, self.heard)

    def test_every_conversation(self):
        for about in CONVERSATIONS + MORE_CONVERSATIONS:
            with knowledge.replaced_by(*about.get("data", [])):
                engine = OfflineEngine(BuiltAgent(about))
                for conversation in about["sessions"]:
                    session = Session("s")
                    for question, *expected in conversation:
                        with self.subTest(agent=about["name"], question=question):
                            self.check(question, expected, gather(engine.answer(question, session), "s"))

    def check(self, question, expected, answer):
        said = answer["output"]
        self.assertEqual([record.getMessage() for record in self.heard.records], [])
        self.assertTrue(said.strip())
        for part in expected:
            if part == "refuse":
                succeeded = [call["name"] for call in answer["tool_calls"] if call["status"] == "success"]
                self.assertEqual(succeeded, [], said)
            elif part.startswith("!"):
                self.assertNotIn(part[1:].lower(), said.lower())
            else:
                self.assertIn(part.lower(), said.lower())
        # Nothing that only a programmer understands, and no sentence in the other language.
        for internal in ("Traceback", "Error:", "None", "tool_input", "quote_items", "{", "Decimal"):
            if internal not in question and not (internal == "{" and "json" in question.lower()):
                self.assertNotIn(internal, said)
        if has_cjk(question) and not any(letter.isascii() and letter.isalpha() for letter in question):
            self.assertNotRegex(said, r"\b(?:the|is|are|of|cannot|you)\b")


class LimitTest(unittest.TestCase):
    def test_what_no_agent_can_do_is_recognised_and_nothing_else(self):
        for question in IMPOSSIBLE:
            self.assertIsNotNone(asked_for(question), question)
        for question in POSSIBLE:
            self.assertIsNone(asked_for(question), question)


if __name__ == "__main__":
    unittest.main()
