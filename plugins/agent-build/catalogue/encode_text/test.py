"""Tests of tools/encode_text.py."""
import unittest

from tools.encode_text import decode_text, encode_text


class EncodeTextTest(unittest.TestCase):
    def test_known_values(self):
        self.assertEqual(encode_text("hello")["text"], "aGVsbG8=")
        self.assertEqual(encode_text("a b&c/ü", "url")["text"], "a%20b%26c%2F%C3%BC")
        self.assertEqual(encode_text("SOS 1", "morse")["text"], "... --- ... / .----")

    def test_there_and_back(self):
        for scheme in ("base64", "url", "hex", "html", "rot13"):
            with self.subTest(scheme):
                self.assertEqual(decode_text(encode_text('<a> "中文" & 1', scheme)["text"], scheme)["text"], '<a> "中文" & 1')

    def test_bad_input(self):
        for text, scheme in (("%%%", "base64"), ("xyz", "hex"), ("?!", "morse"), ("x", "base999"), ("/w==", "base64")):
            with self.subTest(text), self.assertRaises(ValueError):
                decode_text(text, scheme)


if __name__ == "__main__":
    unittest.main()
