"""Tests of tools/text_transform.py."""
import unittest

from tools.text_transform import replace_in_text, transform_text


class TextTransformTest(unittest.TestCase):
    def test_rules(self):
        for rule, text, expected in (
            ("upper", "straße", "STRASSE"),
            ("title", "it's the end", "It's The End"),
            ("slug", "Crème Brûlée, 2nd!", "creme-brulee-2nd"),
            ("snake", "parseHTTPRequest id", "parse_httprequest_id"),
            ("camel", "hello big world", "helloBigWorld"),
            ("sort_lines", "b\nA\nc", "A\nb\nc"),
            ("unique_lines", "a\nb\na", "a\nb"),
            ("trim", "  a   b \n c ", "a b\nc"),
            ("reverse", "abc", "cba"),
        ):
            with self.subTest(rule):
                self.assertEqual(transform_text(text, rule)["result"], expected)

    def test_replace(self):
        self.assertEqual(replace_in_text("a-b-c", "-", "+"), {"result": "a+b+c", "count": 2})
        with self.assertRaises(ValueError):
            replace_in_text("a", "", "b")

    def test_unknown_rule(self):
        with self.assertRaises(ValueError):
            transform_text("a", "poetry")


if __name__ == "__main__":
    unittest.main()
