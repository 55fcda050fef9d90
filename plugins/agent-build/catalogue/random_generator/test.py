"""Tests of tools/random_generator.py."""
import unittest
import uuid

from tools.random_generator import dice_range, generate_password, generate_uuid, pick_one, random_number, roll_dice, shuffle_list


class RandomTest(unittest.TestCase):
    def test_password(self):
        password = generate_password(20, symbols=False)["password"]
        self.assertEqual(len(password), 20)
        self.assertTrue(password.isalnum())
        self.assertTrue(any(char.isdigit() for char in password) and any(char.isupper() for char in password))
        self.assertNotEqual(generate_password()["password"], generate_password()["password"])

    def test_uuid(self):
        values = generate_uuid(3)["uuids"]
        self.assertEqual(len({uuid.UUID(value).version for value in values}), 1)
        self.assertEqual(len(set(values)), 3)

    def test_ranges(self):
        for _ in range(50):
            self.assertIn(random_number(3, 5)["number"], (3, 4, 5))
            self.assertIn(roll_dice(1, 4)["total"], (1, 2, 3, 4))
        self.assertIn(pick_one(["a", "b"])["picked"], ("a", "b"))
        self.assertEqual(dice_range(3, 6, 2), {"lowest": 5, "highest": 20, "average": 12.5})
        self.assertEqual(sorted(shuffle_list(["c", "a", "b"])["order"]), ["a", "b", "c"])

    def test_bad_input(self):
        for call in (lambda: generate_password(3), lambda: generate_uuid(0), lambda: roll_dice(1, 0), lambda: random_number(2, 1), lambda: pick_one([])):
            with self.assertRaises(ValueError):
                call()


if __name__ == "__main__":
    unittest.main()
