"""Tests of tools/exchange_rates.py on sample rates, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.exchange_rates import convert_currency, list_rates

SAMPLE = {
    "kind": "rates",
    "id": "sample",
    "title": "Rates",
    "rates": [{"from": "EUR", "to": "USD", "rate": "1.25"}, {"from": "USD", "to": "JPY", "rate": "150"}],
}


class RatesTest(unittest.TestCase):
    def test_direct_inverse_and_chained(self):
        with knowledge.replaced_by(SAMPLE):
            self.assertEqual(convert_currency(100, "EUR", "USD")["result"], "125.00")
            self.assertEqual(convert_currency(125, "usd", "eur")["result"], "100.00")
            self.assertEqual(convert_currency(2, "EUR", "JPY")["result"], "375.00")

    def test_nothing_is_guessed(self):
        with knowledge.replaced_by(SAMPLE), self.assertRaisesRegex(LookupError, "GBP"):
            convert_currency(1, "EUR", "GBP")

    def test_own_rates(self):
        for rate in list_rates()["rates"]:
            self.assertGreater(convert_currency(1, rate["from"], rate["to"])["rate"], 0)


if __name__ == "__main__":
    unittest.main()
