"""Tests of tools/number_bases.py."""
import unittest

from tools.number_bases import convert_base, from_roman, number_in_words, to_roman


class NumberBasesTest(unittest.TestCase):
    def test_bases(self):
        self.assertEqual(convert_base("255", 10, 16)["result"], "ff")
        self.assertEqual(convert_base("0b1010", 2, 10)["result"], "10")
        self.assertEqual(convert_base("-8", 10, 2)["result"], "-1000")

    def test_roman_there_and_back(self):
        for number in (1, 4, 9, 40, 1990, 2026, 3999):
            self.assertEqual(from_roman(to_roman(number)["roman"])["number"], number)

    def test_words(self):
        self.assertEqual(number_in_words(42)["words"], "forty-two")
        self.assertEqual(number_in_words(1005)["words"], "one thousand and five")
        self.assertEqual(number_in_words(-2000000)["words"], "minus two million")

    def test_bad_input(self):
        for call in (lambda: convert_base("12", 2, 10), lambda: convert_base("1", 1, 2), lambda: to_roman(0), lambda: from_roman("IIX"), lambda: from_roman("M" * 5000), lambda: number_in_words(10**12)):
            with self.assertRaises(ValueError):
                call()


if __name__ == "__main__":
    unittest.main()
