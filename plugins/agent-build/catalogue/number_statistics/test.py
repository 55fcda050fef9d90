"""Tests of tools/number_statistics.py."""
import unittest

from tools.number_statistics import describe_numbers


class NumberStatisticsTest(unittest.TestCase):
    def test_figures(self):
        figures = describe_numbers([2, 4, 4, 4, 5, 5, 7, 9])
        self.assertEqual((figures["mean"], figures["median"], figures["mode"], figures["range"]), (5, 4.5, [4], 7))
        self.assertAlmostEqual(figures["standard_deviation"], 2.13809, places=5)

    def test_one_number(self):
        figures = describe_numbers([3])
        self.assertEqual((figures["mean"], figures["standard_deviation"], figures["mode"]), (3, None, []))

    def test_bad_input(self):
        for numbers in ([], [float("nan")], [1.0] * 10001):
            with self.assertRaises(ValueError):
                describe_numbers(numbers)


if __name__ == "__main__":
    unittest.main()
