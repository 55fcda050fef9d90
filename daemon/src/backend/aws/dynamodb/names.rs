//! Names that agents are called by: `store/naming.rs` says how they are given. Each is counted in an item of its own, at
//! once and not with the agent's record, so none waits for another. The item says who was counted last: a build that is
//! tried again at once is not counted twice.

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue},
};

use super::{DynamoStore, client::failed, codec::Reader, table::Table, value};
use crate::{
    backend::store::{Result, naming},
    domain::ids::AgentId,
};

const GIVEN: &str = "given";
const LAST: &str = "last_given_to";

fn key(name: &str) -> super::value::Item {
    Table::State.two(&format!("name#{}", naming::counted(name)), "-")
}

impl DynamoStore {
    /// Gives a name to one agent more; the answer is given to no other.
    pub(crate) async fn give_name(&self, name: &str, agent: &AgentId) -> Result<String> {
        let mut number = self.count_name(name, agent, false).await?;
        if let (1, Some((stem, own))) = (number, naming::parts(name))
            && !self.reach_name(stem, own).await?
        {
            number = self.count_name(name, agent, true).await?;
        }
        Ok(naming::numbered(name, number))
    }

    /// Notes a name that another store gave.
    pub(crate) async fn keep_name(&self, name: &str) -> Result<()> {
        self.reach_name(name, 1).await?;
        if let Some((stem, own)) = naming::parts(name) {
            self.reach_name(stem, own).await?;
        }
        Ok(())
    }

    /// A request that changes what is kept of a name; `#g` is how many bear it.
    fn change_name(&self, name: &str) -> UpdateItemFluentBuilder {
        let request = self.tables.client.update_item().table_name(self.tables.name(Table::State));
        request.set_key(Some(key(name))).expression_attribute_names("#g", GIVEN)
    }

    /// Counts an agent, `twice` also when it was the last one.
    async fn count_name(&self, name: &str, agent: &AgentId, twice: bool) -> Result<u64> {
        let request = self
            .change_name(name)
            .update_expression("ADD #g :one SET #l = :agent")
            .set_condition_expression((!twice).then(|| "attribute_not_exists(#l) OR #l <> :agent".to_owned()))
            .expression_attribute_names("#l", LAST)
            .expression_attribute_values(":one", value::whole(1))
            .expression_attribute_values(":agent", value::text(agent.as_str()))
            .return_values(ReturnValue::UpdatedNew);
        let item = match self.tables.ask("update_item", request.send()).await? {
            Ok(answer) => answer.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    self.tables.get(Table::State, key(name)).await?
                }
                _ => return Err(failed(error)),
            },
        };
        Ok(Reader(&item.unwrap_or_default()).count(GIVEN).unwrap_or(1))
    }

    /// Has a name go on behind this number; whether it had not come so far.
    async fn reach_name(&self, name: &str, number: u64) -> Result<bool> {
        let request = self
            .change_name(name)
            .update_expression("SET #g = :n")
            .condition_expression("attribute_not_exists(#g) OR #g < :n")
            .expression_attribute_values(":n", AttributeValue::N(number.to_string()));
        match self.tables.ask("update_item", request.send()).await? {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }
}
