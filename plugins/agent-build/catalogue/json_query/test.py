"""Tests of tools/json_query.py."""
import unittest

from tools.json_query import check_json, find_key, format_json, json_path

TEXT = '{"users": [{"name": "Ada", "age": 36}, {"name": "Bo", "tags": {"name": "x"}}], "total": 2}'


class JsonQueryTest(unittest.TestCase):
    def test_shape(self):
        self.assertEqual(check_json(TEXT)["keys"], ["users", "total"])
        broken = check_json('{"a": 1,}')
        self.assertFalse(broken["valid"])
        self.assertIn("line 1", broken["error"])

    def test_paths(self):
        self.assertEqual(json_path(TEXT, "users[0].name")["value"], "Ada")
        self.assertEqual(json_path(TEXT, "$.users[*].name")["value"], ["Ada", "Bo"])
        for path in ("users[9].name", "nothing", "total.x"):
            with self.subTest(path), self.assertRaises(ValueError):
                json_path(TEXT, path)

    def test_keys_at_any_depth(self):
        found = find_key(TEXT, "NAME")
        self.assertEqual([entry["value"] for entry in found["found"]], ["Ada", "Bo", "x"])

    def test_layout(self):
        self.assertEqual(format_json('{"a":[1,2]}', 0)["json"], '{"a": [1, 2]}')
        with self.assertRaises(ValueError):
            format_json("[" * 100000)


if __name__ == "__main__":
    unittest.main()
