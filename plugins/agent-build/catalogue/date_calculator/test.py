"""Tests of tools/date_calculator.py."""
import unittest

from tools.date_calculator import add_to_date, days_between, weekday_of


class DateCalculatorTest(unittest.TestCase):
    def test_days_between(self):
        self.assertEqual(days_between("2026-01-01", "2026-03-01")["days"], 59)
        self.assertEqual(days_between("2024-02-01", "2024-03-01")["days"], 29)
        self.assertEqual(days_between("2026-03-01", "2026-01-01")["days"], -59)

    def test_workdays(self):
        # Friday 2026-01-02 up to Monday 2026-01-05: only the Friday counts.
        self.assertEqual(days_between("2026-01-02", "2026-01-05")["workdays"], 1)

    def test_weekday(self):
        self.assertEqual(weekday_of("2000-01-01")["weekday"], "Saturday")
        self.assertTrue(weekday_of("2024-05-01")["leap_year"])

    def test_adding(self):
        self.assertEqual(add_to_date("2026-01-31", 1, "months")["date"], "2026-02-28")
        self.assertEqual(add_to_date("2024-02-29", 1, "years")["date"], "2025-02-28")
        self.assertEqual(add_to_date("2026-01-01", -1)["date"], "2025-12-31")

    def test_bad_input(self):
        for call in (
            lambda: weekday_of("2026-02-30"),
            lambda: weekday_of("tomorrow-ish"),
            lambda: add_to_date("2026-01-01", 1, "fortnights"),
            lambda: add_to_date("2026-01-01", 10**9),
        ):
            with self.assertRaises(ValueError):
                call()


if __name__ == "__main__":
    unittest.main()
