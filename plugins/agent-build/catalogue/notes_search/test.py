"""Tests of tools/notes_search.py."""
import unittest

from runtime import knowledge
from tools.notes_search import passages, search_notes

SAMPLE = {
    "kind": "notes",
    "id": "sample",
    "title": "Notes",
    "passages": ["The pool is open from June to August.", "Dogs must be kept on a lead.", "游泳池周一关闭。"],
}


class NotesSearchTest(unittest.TestCase):
    def test_best_passage_first(self):
        with knowledge.replaced_by(SAMPLE):
            self.assertIn("June", search_notes("when does the pool open")["passages"][0]["text"])
            self.assertIn("周一", search_notes("游泳池什么时候关闭")["passages"][0]["text"])

    def test_nothing_found(self):
        with knowledge.replaced_by(SAMPLE), self.assertRaises(LookupError):
            search_notes("helicopter")

    def test_own_passages_find_themselves(self):
        for text in passages():
            try:
                found = [passage["text"] for passage in search_notes(text, limit=10)["passages"]]
            except LookupError:
                continue  # a passage without a single searchable word
            self.assertIn(text, found)


if __name__ == "__main__":
    unittest.main()
