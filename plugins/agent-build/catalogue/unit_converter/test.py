"""Tests of tools/unit_converter.py."""
import unittest

from tools.unit_converter import convert_units, list_units


class UnitConverterTest(unittest.TestCase):
    def test_mass(self):
        self.assertAlmostEqual(convert_units(12, "kg", "lb")["result"], 26.4555, places=3)

    def test_names_plurals_and_chinese(self):
        self.assertEqual(convert_units(1, "miles", "kilometers")["result"], 1.609344)
        self.assertEqual(convert_units(2, "公斤", "斤")["result"], 4)

    def test_temperature(self):
        self.assertEqual(convert_units(100, "°C", "fahrenheit")["result"], 212)
        with self.assertRaisesRegex(ValueError, "absolute zero"):
            convert_units(-300, "C", "F")

    def test_there_and_back(self):
        for kind, units in list_units()["kinds"].items():
            for unit in units:
                there = convert_units(7, units[0], unit)["result"]
                self.assertAlmostEqual(convert_units(there, unit, units[0])["result"], 7, places=6, msg=kind)

    def test_different_kinds_and_unknown_units(self):
        with self.assertRaisesRegex(ValueError, "mass"):
            convert_units(1, "kg", "m")
        with self.assertRaisesRegex(ValueError, "unknown unit: florps"):
            convert_units(1, "kg", "florps")


if __name__ == "__main__":
    unittest.main()
