//! What a good model says in a build of a helper for a gym.

use serde_json::json;

use super::double::{Reply, says};

/// Rules understand the prices, and not the rest of it.
pub const REQUIREMENT: &str =
    "A helper for our gym. Work out the body mass index of a member. Prices: day pass 12 EUR, month pass 39 EUR.";

pub const CODE: &str = "from __future__ import annotations\n\n\ndef body_mass_index(weight: float, height: float) -> float:\n    \"\"\"Compute the body mass index.\n\n    Args:\n        weight: in kg.\n        height: in m.\n\n    Returns:\n        The index.\n    \"\"\"\n    if weight <= 0 or height <= 0:\n        raise ValueError(\"weight and height must be more than 0\")\n    return weight / height ** 2\n";

pub const TESTS: &str = "import unittest\n\nfrom tools.body_mass_index import body_mass_index\n\n\nclass BodyMassIndexTest(unittest.TestCase):\n    def test_other_values(self):\n        self.assertAlmostEqual(body_mass_index(81, 1.8), 25)\n\n    def test_limits(self):\n        for weight, height in ((0, 1.8), (80, 0)):\n            with self.assertRaises(ValueError):\n                body_mass_index(weight, height)\n        self.assertAlmostEqual(body_mass_index(1, 1), 1)\n        self.assertAlmostEqual(body_mass_index(0.5, 0.5), 2)\n";

pub fn module(code: &str) -> Reply {
    says(&json!({ "how": "By the formula.", "python_code": code }))
}

/// The answers of a model that makes no mistakes.
pub fn good(object: &str) -> Reply {
    says(&match object {
        "plan" => json!({ "summary": "A helper for a gym.", "assumptions": ["Members tell weight and height."] }),
        "understanding" => json!({
            "title": "Gym helper",
            "summary": "A helper that works out the body mass index and tells the prices of a gym.",
            "wishes": [{ "number": 1, "asks_for": "the body mass index", "served_by": "python_function", "vetted_tool": "", "reason": "A formula computes it." }],
        }),
        "tool_signature" => json!({
            "purpose": "Computes the body mass index of a person.",
            "function_name": "body_mass_index",
            "display_name": "Body mass index",
            "parameters": [
                { "name": "weight", "kind": "number", "unit": "kg", "meaning": "weight of the person" },
                { "name": "height", "kind": "number", "unit": "m", "meaning": "height of the person" },
            ],
            "result_kind": "number", "result_unit": "", "result_meaning": "body mass index",
            "keywords": ["bmi", "body mass index"],
        }),
        "worked_examples" => json!({ "examples": [
            { "question": "What is the BMI of 70 kg and 1.75 m?", "arguments": { "weight": 70, "height": 1.75 }, "calculation": "70 / (1.75 * 1.75)" },
            { "question": "My weight is 90 kg and my height is 1.8 m, what is my body mass index?", "arguments": { "weight": 90, "height": 1.8 }, "calculation": "90 / 1.8 ** 2" },
        ]}),
        "architecture" => {
            json!({ "overview": "One service with its tools.", "decisions": [{ "decision": "Formulas are code.", "reason": "A formula gives the same figure each time." }] })
        }
        "agent_design" => {
            json!({ "description": "Helps the members of a gym.", "capabilities": ["Works out the body mass index", "Tells prices"] })
        }
        "python_module" => json!({ "how": "Weight by the square of the height.", "python_code": CODE }),
        "unit_tests" => json!({ "python_tests": TESTS }),
        "agent_prompt" => {
            json!({ "role": "You are the helper of a gym.", "rules": ["Be friendly.", "Give no medical advice."] })
        }
        "introduction" => json!({ "introduction": "Ask it for prices and the body mass index.", "notes": [] }),
        other => panic!("nobody asks for `{other}`"),
    })
}
