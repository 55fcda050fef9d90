"""Tests of tools/price_list.py on a small list, and on the agent's own."""
import unittest

from runtime import knowledge
from tools.price_list import compare_prices, how_many_for, item_names, list_prices, quote_items

SAMPLE = {
    "kind": "prices",
    "id": "sample",
    "title": "Sample",
    "items": [
        {"name": "bolt", "amount": "0.10", "currency": "EUR", "per": ""},
        {"name": "nut", "amount": "0.05", "currency": "EUR", "per": ""},
        {"name": "sand", "amount": "2.50", "currency": "EUR", "per": "kg"},
        {"name": "stamp", "amount": "1", "currency": "USD", "per": ""},
    ],
}


class PriceListTest(unittest.TestCase):
    def setUp(self):
        replaced = knowledge.replaced_by(SAMPLE)
        replaced.__enter__()
        self.addCleanup(replaced.__exit__, None, None, None)

    def test_decimal_totals(self):
        quote = quote_items([{"name": "bolt", "quantity": 3}, {"name": "Nut", "quantity": 4}])
        self.assertEqual(quote["totals"], {"EUR": "0.50"})

    def test_currencies_are_kept_apart(self):
        self.assertEqual(quote_items([{"name": "bolt"}, {"name": "stamp"}])["totals"], {"EUR": "0.10", "USD": "1"})

    def test_units(self):
        self.assertEqual(quote_items([{"name": "sand", "quantity": 500, "unit": "g"}])["totals"], {"EUR": "1.25"})
        with self.assertRaisesRegex(ValueError, "priced per"):
            quote_items([{"name": "bolt", "quantity": 2, "unit": "kg"}])

    def test_unknown_items_are_told(self):
        self.assertEqual(quote_items([{"name": "bolt"}, {"name": "gear"}])["unknown"], ["gear"])
        with self.assertRaisesRegex(LookupError, "gear is not on the price list"):
            quote_items([{"name": "gear"}])

    def test_discount(self):
        self.assertEqual(quote_items([{"name": "stamp", "quantity": 10}], 10)["totals"], {"USD": "9"})
        with self.assertRaises(ValueError):
            quote_items([{"name": "stamp"}], 101)

    def test_ranking_and_budget(self):
        self.assertEqual(compare_prices()["items"][0]["name"], "nut")
        self.assertEqual(compare_prices(["bolt", "nut"])["difference"], "0.05")
        self.assertEqual(how_many_for("bolt", 1)["count"], 10)
        with self.assertRaises(ValueError):
            quote_items([{"name": "bolt", "quantity": -1}])


class OwnPriceListTest(unittest.TestCase):
    def test_every_item_has_its_price(self):
        for item in list_prices(10**6)["items"] if item_names() else []:
            quoted = quote_items([{"name": item["name"], "quantity": 1}])
            self.assertEqual(quoted["lines"][0]["price"], item["price"])


if __name__ == "__main__":
    unittest.main()
