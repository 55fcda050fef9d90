//! The right to answer in a session, as attributes of the session itself: whoever holds it says until when, by the clock
//! that all daemons share, and extends it while the answer runs. A daemon that is gone extends nothing.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{
    DynamoStore,
    client::failed,
    codec::Reader,
    table::Table,
    value::{self, Item},
};
use crate::{
    backend::{
        error::not_found,
        store::{Answering, Result, SessionLease},
    },
    domain::ids::SessionId,
};

/// Who answers, until when (milliseconds), and who asked him to stop.
pub(crate) const HOLDER: &str = "answering_by";
pub(crate) const UNTIL: &str = "answering_until";
const STOP: &str = "answering_stop";
/// Who took it last: stays when it is given back, for an answer of his that comes late.
pub(crate) const LAST_HOLDER: &str = "answering_last";

impl DynamoStore {
    fn milliseconds(&self) -> i64 {
        self.tables.clock().as_micros() / 1_000
    }

    fn until(&self, lasts: Duration) -> AttributeValue {
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        value::whole(self.milliseconds().saturating_add(lasts))
    }

    /// Changes a session under a condition; what it is then, or nothing when the condition does not hold.
    async fn change_session(
        &self,
        id: &SessionId,
        change: &str,
        condition: &str,
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<Option<Item>> {
        let mut request = self
            .tables
            .client
            .update_item()
            .table_name(self.tables.name(Table::Sessions))
            .set_key(Some(Table::Sessions.one(id.as_str())))
            .update_expression(change)
            .condition_expression(condition)
            .return_values(ReturnValue::AllNew);
        for (holder, name) in [("#h", HOLDER), ("#u", UNTIL), ("#s", STOP), ("#l", LAST_HOLDER)] {
            if change.contains(holder) || condition.contains(holder) {
                request = request.expression_attribute_names(holder, name);
            }
        }
        for (holder, value) in values {
            request = request.expression_attribute_values(holder, value);
        }
        match self.tables.ask("update_item", request.send()).await? {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(crate) fn is_answered_now(&self, item: &Item) -> bool {
        let now = self.milliseconds().unsigned_abs();
        item.contains_key(HOLDER) && Reader(item).count(UNTIL).is_some_and(|at| at > now)
    }
}

#[async_trait]
impl Answering for DynamoStore {
    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        let values =
            vec![(":h", value::text(holder)), (":u", self.until(lasts)), (":now", value::whole(self.milliseconds()))];
        let free = "attribute_exists(session_id) AND (attribute_not_exists(#h) OR #h = :h OR #u <= :now)";
        if self.change_session(id, "SET #h = :h, #l = :h, #u = :u REMOVE #s", free, values).await?.is_some() {
            return Ok(SessionLease::Held);
        }
        match self.tables.get(Table::Sessions, Table::Sessions.one(id.as_str())).await? {
            Some(_) => Ok(SessionLease::Taken),
            None => Err(not_found("session")),
        }
    }

    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        let values = vec![(":h", value::text(holder)), (":u", self.until(lasts))];
        let held = self.change_session(id, "SET #u = :u", "#h = :h", values).await?;
        Ok(match held {
            Some(item) if item.contains_key(STOP) => SessionLease::StopAsked,
            Some(_) => SessionLease::Held,
            None => SessionLease::Taken,
        })
    }

    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()> {
        self.change_session(id, "REMOVE #h, #u, #s", "#h = :h", vec![(":h", value::text(holder))]).await.map(drop)
    }

    async fn stop_session(&self, id: &SessionId) -> Result<bool> {
        let values = vec![(":s", AttributeValue::Bool(true)), (":now", value::whole(self.milliseconds()))];
        Ok(self.change_session(id, "SET #s = :s", "attribute_exists(#h) AND #u > :now", values).await?.is_some())
    }

    async fn is_answering(&self, id: &SessionId) -> Result<bool> {
        let item = self.tables.get(Table::Sessions, Table::Sessions.one(id.as_str())).await?;
        Ok(item.is_some_and(|item| self.is_answered_now(&item)))
    }
}
