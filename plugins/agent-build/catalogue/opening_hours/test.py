"""Tests of tools/opening_hours.py on a small timetable, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.opening_hours import hours_on, open_at, subjects, week_hours

SAMPLE = {
    "kind": "hours", "id": "hours", "title": "Hours",
    "hours": [
        {"subject": "", "days": [1, 2, 3, 4], "from": "09:00", "to": "17:30"},
        {"subject": "", "days": [5], "from": "09:00", "to": "12:00"},
        {"subject": "", "days": [5], "from": "13:00", "to": "15:00"},
        {"subject": "bar", "days": [6], "from": "20:00", "to": "02:00"},
    ],
    "closed": [{"subject": "", "days": [7]}],
}


class OpeningHoursTest(unittest.TestCase):
    def setUp(self):
        replaced = knowledge.replaced_by(SAMPLE)
        replaced.__enter__()
        self.addCleanup(replaced.__exit__, None, None, None)

    def test_days(self):
        self.assertEqual(hours_on("Monday")["spans"], [{"from": "09:00", "to": "17:30"}])
        self.assertEqual(len(hours_on("Friday")["spans"]), 2)
        self.assertFalse(hours_on("Sunday")["open"])
        self.assertEqual(hours_on("2026-11-30")["day"], "Monday")

    def test_times(self):
        for day, time, is_open in (
            ("Monday", "09:00", True), ("Monday", "17:30", False), ("Monday", "08:59", False), ("Friday", "12:30", False), ("Friday", "14:00", True), ("Sunday", "10:00", False),
        ):
            self.assertEqual(open_at(day, time)["open"], is_open, (day, time))

    def test_past_midnight(self):
        self.assertTrue(open_at("Saturday", "23:00", "bar")["open"])
        self.assertTrue(open_at("Sunday", "01:30", "bar")["open"])
        self.assertFalse(open_at("Sunday", "02:00", "bar")["open"])
        self.assertFalse(open_at("Saturday", "01:00", "bar")["open"])

    def test_hours_without_days_hold_every_day_but_the_closed(self):
        daily = {"kind": "hours", "id": "h", "title": "H", "hours": [{"subject": "", "days": [], "from": "10:00", "to": "22:00"}], "closed": [{"subject": "", "days": [2]}]}
        with knowledge.replaced_by(daily):
            self.assertTrue(open_at("Monday", "21:00")["open"])
            self.assertEqual(week_hours()["closed"], ["Tuesday"])

    def test_week(self):
        self.assertEqual(week_hours()["closed"], ["Saturday", "Sunday"])

    def test_bad_input(self):
        for arguments in (("Someday", "10:00"), ("Monday", "25:00"), ("Monday", "noon")):
            with self.assertRaises(ValueError):
                open_at(*arguments)
        with self.assertRaises(ValueError):
            hours_on("Monday", "kitchen")


class OwnHoursTest(unittest.TestCase):
    def test_every_subject_has_a_week(self):
        told = {entry.get("subject") or "" for data in knowledge.of_kind("hours") for entry in data["hours"]}
        for subject in told & set(subjects()):
            self.assertEqual(len(week_hours(subject)["days"]), 7)


if __name__ == "__main__":
    unittest.main()
