//! `/projects/{id}/budget`: what a project may spend on language models.

use salvo::{Writer as _, oapi::endpoint};
use serde_json::{Value, json};

use crate::api::http::{
    request::{
        extract::{Body, Id, State},
        fields::Fields,
        rules::{Integer, fields_of, rule},
    },
    response::{Answer, Reply},
};
use crate::{
    domain::ids::ProjectId,
    projects::{Budget, BudgetUse},
};

/// Nobody means more by accident.
const MOST_USD: f64 = 1_000_000.0;
pub(crate) const MOST_TOKENS: i64 = 1_000_000_000_000;

rule! {
    /// Dollars, from 0.
    pub(crate) Dollars -> Option<f64>,
    |fields, name| dollars(fields, name),
    json!({ "type": "number", "minimum": 0, "maximum": MOST_USD })
}

fn dollars(fields: &mut Fields, name: &str) -> Option<f64> {
    let value = fields.take(name)?;
    match value.as_f64() {
        Some(usd) if (0.0..=MOST_USD).contains(&usd) => Some(usd),
        Some(_) => {
            fields.fault(name, "less_than_equal", format!("Input should be between 0 and {MOST_USD}"), value);
            None
        }
        None => {
            fields.fault(name, "float_type", "Input should be a valid number", value);
            None
        }
    }
}

rule! {
    /// `{"usd": …, "tokens": …}`.
    pub(crate) BudgetRule -> Option<Budget>,
    |fields, name| budget(fields, name),
    json!({ "type": "object", "additionalProperties": false, "properties": {
        "usd": { "type": ["number", "null"], "minimum": 0, "maximum": MOST_USD },
        "tokens": { "type": ["integer", "null"], "minimum": 0, "maximum": MOST_TOKENS },
    } })
}

/// A whole number, also with a zero fraction.
fn whole(value: &Value) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // `as` saturates, and the range is checked
    let of_float = |number: f64| (number.fract() == 0.0).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

fn budget(fields: &mut Fields, name: &str) -> Option<Budget> {
    let given = fields.object(name, 1024)?;
    let mut budget = Budget::default();
    for (key, value) in given {
        let place = format!("{name}.{key}");
        match (key.as_str(), &value) {
            ("usd" | "tokens", Value::Null) => {}
            ("usd", _) => match value.as_f64().filter(|usd| (0.0..=MOST_USD).contains(usd)) {
                Some(usd) => budget.usd = Some(usd),
                None => {
                    fields.fault(&place, "value_error", format!("Input should be a number from 0 to {MOST_USD}"), value)
                }
            },
            ("tokens", _) => match whole(&value).filter(|tokens| (0..=MOST_TOKENS).contains(tokens)) {
                Some(tokens) => budget.tokens = Some(tokens.unsigned_abs()),
                None => {
                    let msg = format!("Input should be a whole number from 0 to {MOST_TOKENS}");
                    fields.fault(&place, "value_error", msg, value);
                }
            },
            _ => fields.fault(&place, "extra_forbidden", "A budget has usd and tokens", value),
        }
    }
    Some(budget)
}

fields_of! {
    /// The limits of a project. What is absent or null is not limited, but by `[models.budget]`.
    pub(crate) ProjectBudgetBody {
        /// The most that may be spent, in dollars.
        usd: Dollars,
        /// The most tokens, sent and received.
        tokens: Integer<0, MOST_TOKENS>,
    }
}

/// `GET /projects/{id}/budget`
///
/// Read what a project may spend on language models, and what it has spent.
#[endpoint(operation_id = "getProjectBudget", tags("projects"))]
pub(crate) async fn read(state: State, id: Id<ProjectId>) -> Answer<BudgetUse> {
    state.projects.get(state.caller(), &id.0).await?;
    Ok(Reply::new(state.projects.budget(state.caller(), &id.0).await?))
}

/// `PUT /projects/{id}/budget`
///
/// Replace what a project may spend on language models. It holds from the next call of a model on; a build that is paused
/// with `budget_exhausted` goes on when it is resumed.
#[endpoint(operation_id = "setProjectBudget", tags("projects"))]
pub(crate) async fn set(state: State, id: Id<ProjectId>, body: Body<ProjectBudgetBody>) -> Answer<BudgetUse> {
    let Body(ProjectBudgetBody { usd, tokens }) = body;
    let budget = Budget { usd, tokens: tokens.map(i64::unsigned_abs) };
    Ok(Reply::new(state.projects.set_budget(state.caller(), &id.0, budget).await?))
}
