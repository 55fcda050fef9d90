//! What an invocation changes in its agent's item: figures are added, never rewritten, so that of any number of daemons
//! that count at once each one counts.

use serde_json::Value;

use super::{
    codec::Reader,
    unit::{Change, Read},
    value::{self, Item},
};
use crate::{
    backend::store::Result,
    domain::{
        agent::{Invocation, InvocationStatus},
        time::Timestamp,
    },
};

/// Time spent on invocations, and how many those were: sums, which any number of writers can add to. The mean that the
/// record shows follows from them.
pub(crate) struct Timed {
    /// Milliseconds.
    spent: u64,
    invocations: u64,
    /// Of an item without the sums: the mean as the original keeps it.
    stated: f64,
}

const SPENT: &str = "timed_ms";
const TIMED: &str = "timed_invocations";

impl Timed {
    pub(crate) fn of(read: &Reader<'_>) -> Self {
        let stated = read.float("avg_duration_ms").unwrap_or(0.0).max(0.0);
        if let (Some(spent), Some(invocations)) = (read.count(SPENT), read.count(TIMED)) {
            return Self { spent, invocations, stated };
        }
        let invocations = read.count("total_invocations").unwrap_or(0);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // milliseconds
        let spent = (stated * invocations as f64).round() as u64;
        Self { spent, invocations, stated }
    }

    pub(crate) fn mean(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // milliseconds and counts
        if self.invocations == 0 { self.stated } else { self.spent as f64 / self.invocations as f64 }
    }
}

/// What an invocation changes in its agent's item, and what must hold of that.
pub(crate) fn asked(agent: &Item, invocation: &Invocation) -> Result<(Change, Vec<Read>)> {
    let read = Reader(agent);
    let known = Timed::of(&read);
    let took = invocation.duration_ms;
    let after = Timed { spent: known.spent.saturating_add(took), invocations: known.invocations + 1, ..known };
    let mean = serde_json::Number::from_f64(after.mean()).map_or(Value::Null, Value::Number);
    let mut change = Change {
        sum: vec![
            (SPENT.to_owned(), value::whole(known.spent), value::whole(took)),
            (TIMED.to_owned(), value::whole(known.invocations), value::whole(1)),
        ],
        // For the original's services, which read no sums; of two at once the later one's.
        set: vec![("avg_duration_ms".to_owned(), value::attribute(&mean))],
        ..Change::default()
    };
    if read.word::<Timestamp>("last_invoked_at").is_none_or(|last| last < invocation.created_at) {
        change.set.push(("last_invoked_at".to_owned(), value::text(invocation.created_at.to_string())));
    }
    let good = invocation.status == InvocationStatus::Success;
    let outcome = if good { "successful_invocations" } else { "failed_invocations" };
    let odd = [change.count(agent, "total_invocations", 1), change.count(agent, outcome, 1)];
    Ok((change, odd.into_iter().flatten().collect()))
}
