//! Tables: made with their indexes, compared with what they should be, emptied, removed.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{
        AttributeDefinition, BillingMode, DeleteRequest, GlobalSecondaryIndex, IndexStatus, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification,
        TimeToLiveStatus, WriteRequest,
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Action, Plan, Report, ResourceError, State, said};
use crate::backend::aws::dynamodb::table::{EXPIRES, Table};

/// Tables that are dealt with at a time.
const SIDE_BY_SIDE: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS: usize = 600;
/// Items of one batch of deletions.
const BATCH: usize = 25;

type Result<T> = std::result::Result<T, ResourceError>;

pub(super) async fn all(
    plan: &Plan,
    action: Action,
    client: &Client,
    told: &(dyn Fn(&Report) + Sync),
) -> Result<Vec<Report>> {
    let one = |table: Table| async move {
        let name = format!("{}{}", plan.prefix, table.name());
        let (state, detail) = match action {
            Action::Init => init(client, table, &name).await?,
            Action::List => list(client, table, &name).await?,
            Action::Clean => clean(client, table, &name).await?,
            Action::Delete => delete(client, &name).await?,
        };
        let report = Report { kind: "table", name, state, detail };
        told(&report);
        Ok(report)
    };
    stream::iter(Table::ALL.into_iter().map(one)).buffered(SIDE_BY_SIDE).try_collect().await
}

async fn describe(client: &Client, name: &str) -> Result<Option<TableDescription>> {
    match client.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(said(format!("describe {name}"))(error)),
    }
}

fn key(name: &str, of: KeyType) -> Result<KeySchemaElement> {
    KeySchemaElement::builder().attribute_name(name).key_type(of).build().map_err(said("a key"))
}

fn keys(partition: &str, sort: Option<&str>) -> Result<Vec<KeySchemaElement>> {
    let mut keys = vec![key(partition, KeyType::Hash)?];
    if let Some(sort) = sort {
        keys.push(key(sort, KeyType::Range)?);
    }
    Ok(keys)
}

/// Attributes that are keys, and whether they are numbers.
fn attributes(table: Table) -> BTreeMap<&'static str, bool> {
    let (partition, sort) = table.key();
    let mut all = BTreeMap::from([(partition, false)]);
    if let Some(sort) = sort {
        all.insert(sort, table.sorts_by_number());
    }
    for index in table.indexes() {
        all.insert(index.partition, false);
        all.insert(index.sort, index.number);
    }
    all
}

async fn create(client: &Client, table: Table, name: &str) -> Result<()> {
    let (partition, sort) = table.key();
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(partition, sort)?));
    for (attribute, number) in attributes(table) {
        let of = if number { ScalarAttributeType::N } else { ScalarAttributeType::S };
        let definition = AttributeDefinition::builder().attribute_name(attribute).attribute_type(of).build();
        request = request.attribute_definitions(definition.map_err(said("an attribute"))?);
    }
    for index in table.indexes() {
        let index = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(Some(keys(index.partition, Some(index.sort))?))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build();
        request = request.global_secondary_indexes(index.map_err(said("an index"))?);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        // Another made it meanwhile.
        Err(error) if error.code() == Some("ResourceInUseException") => Ok(()),
        Err(error) => Err(said(format!("create {name}"))(error)),
    }
}

async fn active(client: &Client, name: &str) -> Result<TableDescription> {
    for _ in 0..LOOKS {
        if let Some(found) = describe(client, name).await? {
            let indexes = found.global_secondary_indexes();
            let built = indexes.iter().all(|index| index.index_status() == Some(&IndexStatus::Active));
            if found.table_status() == Some(&TableStatus::Active) && built {
                return Ok(found);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(ResourceError::TooSlow(name.to_owned()))
}

fn schema(keys: &[KeySchemaElement]) -> Vec<&str> {
    let mut sorted: Vec<&KeySchemaElement> = keys.iter().collect();
    sorted.sort_by_key(|key| *key.key_type() == KeyType::Range);
    sorted.into_iter().map(KeySchemaElement::attribute_name).collect()
}

/// What is not as it should be.
fn drift(table: Table, found: &TableDescription) -> Vec<String> {
    let mut drift = Vec::new();
    let (partition, sort) = table.key();
    let wanted: Vec<&str> = [Some(partition), sort].into_iter().flatten().collect();
    let has = schema(found.key_schema());
    if has != wanted {
        drift.push(format!("its key is ({}), not ({})", has.join(", "), wanted.join(", ")));
    }
    for index in table.indexes() {
        let known = found.global_secondary_indexes().iter().find(|known| known.index_name() == Some(index.name));
        match known {
            None => drift.push(format!("the index {} is missing", index.name)),
            Some(known) => {
                let (has, wanted) = (schema(known.key_schema()), [index.partition, index.sort]);
                if has != wanted {
                    drift.push(format!(
                        "the index {} has ({}), not ({})",
                        index.name,
                        has.join(", "),
                        wanted.join(", ")
                    ));
                }
                let projection = known.projection().and_then(|projection| projection.projection_type());
                if projection.is_some_and(|projection| *projection != ProjectionType::All) {
                    drift.push(format!("the index {} does not hold all attributes", index.name));
                }
            }
        }
    }
    for definition in found.attribute_definitions() {
        if let Some(number) = attributes(table).get(definition.attribute_name()) {
            let is_number = *definition.attribute_type() == ScalarAttributeType::N;
            if is_number != *number {
                drift.push(format!("{} is of another type", definition.attribute_name()));
            }
        }
    }
    drift
}

async fn expires(client: &Client, name: &str) -> Result<bool> {
    let answer =
        client.describe_time_to_live().table_name(name).send().await.map_err(said(format!("TTL of {name}")))?;
    let status = answer.time_to_live_description.and_then(|described| described.time_to_live_status);
    Ok(matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)))
}

async fn init(client: &Client, table: Table, name: &str) -> Result<(State, String)> {
    let known = describe(client, name).await?;
    let mut state = if known.is_some() { State::Ready } else { State::Created };
    if known.is_none() {
        create(client, table, name).await?;
    }
    let found = active(client, name).await?;
    if table.expires() && !expires(client, name).await? {
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
        let ttl = ttl.map_err(said("the TTL"))?;
        let request = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
        request.send().await.map_err(said(format!("set the TTL of {name}")))?;
        if state == State::Ready {
            state = State::Updated;
        }
    }
    let drift = drift(table, &found);
    Ok(if drift.is_empty() { (state, String::new()) } else { (State::Drifted, drift.join("; ")) })
}

async fn list(client: &Client, table: Table, name: &str) -> Result<(State, String)> {
    let Some(found) = describe(client, name).await? else { return Ok((State::Missing, String::new())) };
    let mut drift = drift(table, &found);
    if table.expires() && !expires(client, name).await? {
        drift.push("its items do not expire".to_owned());
    }
    if !drift.is_empty() {
        return Ok((State::Drifted, drift.join("; ")));
    }
    Ok((State::Ready, format!("{} items", found.item_count().unwrap_or(0))))
}

/// Removes every item; reads the whole table.
async fn clean(client: &Client, table: Table, name: &str) -> Result<(State, String)> {
    let Some(_) = describe(client, name).await? else { return Ok((State::Missing, String::new())) };
    let (partition, sort) = table.key();
    let (mut from, mut count) = (None, 0);
    loop {
        let mut request = client
            .scan()
            .table_name(name)
            .projection_expression(if sort.is_some() { "#p, #s" } else { "#p" })
            .expression_attribute_names("#p", partition)
            .set_exclusive_start_key(from.take());
        if let Some(sort) = sort {
            request = request.expression_attribute_names("#s", sort);
        }
        let page = request.send().await.map_err(said(format!("read {name}")))?;
        let items = page.items.unwrap_or_default();
        count += items.len();
        for chunk in items.chunks(BATCH) {
            let delete = |key: &_| {
                let request = DeleteRequest::builder().set_key(Some(Clone::clone(key))).build();
                Ok(WriteRequest::builder().delete_request(request.map_err(said("a deletion"))?).build())
            };
            let mut left: Vec<WriteRequest> = chunk.iter().map(delete).collect::<Result<_>>()?;
            while !left.is_empty() {
                let answer = client.batch_write_item().request_items(name, left).send().await;
                let answer = answer.map_err(said(format!("empty {name}")))?;
                left = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, left)| left).collect();
                if !left.is_empty() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok((State::Emptied, format!("{count} items removed")));
        }
    }
}

async fn delete(client: &Client, name: &str) -> Result<(State, String)> {
    if describe(client, name).await?.is_none() {
        return Ok((State::Missing, String::new()));
    }
    client.delete_table().table_name(name).send().await.map_err(said(format!("delete {name}")))?;
    for _ in 0..LOOKS {
        if describe(client, name).await?.is_none() {
            return Ok((State::Deleted, String::new()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(ResourceError::TooSlow(name.to_owned()))
}
