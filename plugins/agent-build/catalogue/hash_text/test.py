"""Tests of tools/hash_text.py with published values."""
import unittest

from tools.hash_text import ALGORITHMS, hash_text


class HashTextTest(unittest.TestCase):
    def test_known_values(self):
        self.assertEqual(hash_text("abc")["hex"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        self.assertEqual(hash_text("abc", "MD5")["hex"], "900150983cd24fb0d6963f7d28e17f72")
        self.assertEqual(hash_text("123456789", "crc32")["hex"], "cbf43926")

    def test_all_algorithms_work_on_any_text(self):
        for name in ALGORITHMS:
            self.assertTrue(hash_text("中文 🙂", name)["hex"])

    def test_unknown_algorithm(self):
        with self.assertRaisesRegex(ValueError, "rot13"):
            hash_text("x", "rot13")


if __name__ == "__main__":
    unittest.main()
