"""Tests of tools/finance_calculator.py."""
import unittest

from tools.finance_calculator import add_percentage, compound_interest, loan_payment, percentage_change, split_bill


class FinanceTest(unittest.TestCase):
    def test_percentages(self):
        self.assertEqual(percentage_change(80, 100)["percent"], 25)
        self.assertEqual(percentage_change(100, 80)["percent"], -20)
        self.assertEqual(add_percentage(100, 19)["total"], 119)
        self.assertEqual(add_percentage(19.99, -25)["total"], 14.99)

    def test_interest(self):
        self.assertEqual(compound_interest(1000, 5, 10)["final"], 1628.89)
        self.assertEqual(compound_interest(1000, 5, 10, 12)["final"], 1647.01)

    def test_loan(self):
        self.assertEqual(loan_payment(200000, 4, 30)["monthly"], 954.83)
        self.assertEqual(loan_payment(1200, 0, 1)["monthly"], 100)

    def test_bill(self):
        self.assertEqual(split_bill(100, 3)["each"], 33.34)
        self.assertEqual(split_bill(80, 4, 10)["each"], 22)

    def test_bad_input(self):
        for call in (lambda: percentage_change(0, 1), lambda: loan_payment(1, 1, 0), lambda: split_bill(1, 0),
                     lambda: compound_interest(float("inf"), 1, 1), lambda: compound_interest(1, 1, 1, 7)):
            with self.assertRaises(ValueError):
                call()


if __name__ == "__main__":
    unittest.main()
