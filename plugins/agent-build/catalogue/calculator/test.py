"""Tests of tools/calculator.py."""
import unittest

from tools.calculator import calculate


class CalculatorTest(unittest.TestCase):
    def test_precedence_and_brackets(self):
        self.assertEqual(calculate("2 + 3 * 4")["value"], 14)
        self.assertEqual(calculate("(2 + 3) * 4")["value"], 20)

    def test_decimals_are_tidy(self):
        self.assertEqual(calculate("0.1 + 0.2")["value"], 0.3)

    def test_functions(self):
        self.assertEqual(calculate("sqrt(144) + max(1, 2)")["value"], 14)

    def test_division_by_zero_is_told(self):
        with self.assertRaisesRegex(ValueError, "division by zero"):
            calculate("1 / 0")

    def test_nothing_but_arithmetic(self):
        for text in ("__import__('os')", "().__class__", "x + 1", "'a' * 3", "", "2 ** 10 ** 10", "9 ** 9 ** 9", "max()", "1 +"):
            with self.subTest(text), self.assertRaises(ValueError):
                calculate(text)


if __name__ == "__main__":
    unittest.main()
