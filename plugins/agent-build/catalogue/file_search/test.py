"""Tests of tools/file_search.py in a temporary folder."""
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tools import file_search


class FileSearchTest(unittest.TestCase):
    def setUp(self):
        self.outer = tempfile.TemporaryDirectory()
        self.addCleanup(self.outer.cleanup)
        root = Path(self.outer.name) / "files"
        (root / "sub").mkdir(parents=True)
        (root / "a.txt").write_text("Hello\nthe Invoice is due\n", encoding="utf-8")
        (root / "sub" / "b.md").write_text("nothing here", encoding="utf-8")
        (root / "image.bin").write_bytes(b"\0\1\2 invoice")
        (Path(self.outer.name) / "secret.txt").write_text("invoice secret", encoding="utf-8")
        os.symlink(Path(self.outer.name) / "secret.txt", root / "link.txt")
        patcher = mock.patch.object(file_search, "FILES_DIR", root)
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_listing_and_search(self):
        self.assertEqual([entry["name"] for entry in file_search.list_files()["files"]], ["a.txt", "image.bin", "sub/b.md"])
        self.assertEqual(file_search.search_files("INVOICE")["hits"], [{"file": "a.txt", "line": 2, "text": "the Invoice is due"}])

    def test_reading(self):
        self.assertEqual(file_search.read_text_file("sub/b.md")["text"], "nothing here")
        with self.assertRaises(ValueError):
            file_search.read_text_file("image.bin")

    def test_no_way_out(self):
        for name in ("../secret.txt", "link.txt", "/etc/passwd", "sub/../../secret.txt", "", ".", "missing.txt"):
            with self.subTest(name), self.assertRaises(LookupError):
                file_search.read_text_file(name)

    def test_missing_folder(self):
        with mock.patch.object(file_search, "FILES_DIR", Path(self.outer.name) / "none"):
            self.assertEqual(file_search.list_files()["count"], 0)


if __name__ == "__main__":
    unittest.main()
