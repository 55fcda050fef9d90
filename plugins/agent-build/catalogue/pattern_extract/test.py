"""Tests of tools/pattern_extract.py."""
import unittest
from unittest import mock

from tools import pattern_extract
from tools.pattern_extract import extract_kind, extract_pattern

TEXT = "Mail ada@example.org or bob.b@mail.example.com (ada@example.org), see https://example.org/a?b=1. Call +44 20 7946 0958 at 14:30 on 2026-03-01, 10.0.0.1 #now 12 EUR"


class PatternExtractTest(unittest.TestCase):
    def test_kinds(self):
        for kind, expected in {
            "email": ["ada@example.org", "bob.b@mail.example.com"],
            "url": ["https://example.org/a?b=1"],
            "time": ["14:30"],
            "date": ["2026-03-01"],
            "ipv4": ["10.0.0.1"],
            "hashtag": ["#now"],
            "money": ["12 EUR"],
        }.items():
            with self.subTest(kind):
                self.assertEqual(extract_kind(TEXT, kind)["found"], expected)
        self.assertIn("+44 20 7946 0958", extract_kind(TEXT, "phone")["found"])

    def test_pattern(self):
        self.assertEqual(extract_pattern("A-12, B-7", r"[A-Z]-(\d+)")["found"], ["12", "7"])

    def test_dangerous_and_broken_patterns(self):
        for pattern in ("(", "x" * 300, "*a"):
            with self.subTest(pattern), self.assertRaises(ValueError):
                extract_pattern("aaaa", pattern)
        with mock.patch.object(pattern_extract, "_SECONDS", 0.3), self.assertRaisesRegex(ValueError, "too long"):
            extract_pattern("a" * 60, "(a|a)*b")
        with self.assertRaises(ValueError):
            extract_kind(TEXT, "poem")


if __name__ == "__main__":
    unittest.main()
