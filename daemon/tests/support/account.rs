//! What tests do with an account of the cloud services: queues and a store over it, and rows as the original's services
//! write them, which ask no condition.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use nexus_daemon::{
    backend::{
        aws::{
            TroubleLog,
            dynamodb::DynamoOptions,
            sqs::{SqsOptions, SqsQueue},
        },
        queue::{Queue, QueueNames},
    },
    domain::time::Timestamp,
};
use serde_json::Value;

use super::emulator::Account;

/// Queues of the usual names that hide what is received for so long.
pub fn queue_options(visibility: Duration) -> SqsOptions {
    SqsOptions {
        trouble: Arc::new(TroubleLog::new("sqs")),
        names: QueueNames::default(),
        visibility,
        max_receive_count: 3,
    }
}

/// So long ago, as rows have it.
pub fn ago(seconds: u64) -> String {
    let micros = i64::try_from(seconds * 1_000_000).expect("a time of this age");
    Timestamp::from_micros(Timestamp::now().as_micros() - micros).to_string()
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.iter().map(|(name, item)| (name.clone(), attribute(item))).collect())
        }
    }
}

impl Account {
    /// Its queues.
    pub fn queues(&self, visibility: Duration) -> Arc<SqsQueue> {
        Arc::new(SqsQueue::new(self.sqs.clone(), queue_options(visibility)))
    }

    /// What a store over its tables needs.
    pub fn store_options(&self, queue: Arc<dyn Queue>) -> DynamoOptions {
        DynamoOptions {
            client: self.dynamodb.clone(),
            trouble: Arc::new(TroubleLog::new("dynamodb")),
            prefix: String::new(),
            queue,
            artifacts: Arc::new(object_store::memory::InMemory::new()),
            event_retention: Duration::from_secs(86_400),
        }
    }

    /// A request to its buckets.
    pub async fn s3(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        let credential = format!("{}/20260101/us-east-1/s3/aws4_request", self.access_key);
        let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request = reqwest::Client::new().request(method, format!("{}/{path}", self.url));
        request.header("authorization", signed).send().await.expect("an answer")
    }

    /// Writes a whole row.
    pub async fn put(&self, table: &str, row: &Value) {
        let row =
            row.as_object().expect("a row").iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
        self.dynamodb.put_item().table_name(table).set_item(Some(row)).send().await.expect("the row is written");
    }

    /// Writes attributes of a row.
    pub async fn set(&self, table: &str, keys: &[(&str, &str)], fields: &Value) {
        let mut update = self.dynamodb.update_item().table_name(table);
        for (name, value) in keys {
            update = update.key(*name, AttributeValue::S((*value).to_owned()));
        }
        let mut parts = Vec::new();
        for (at, (name, value)) in fields.as_object().expect("attributes").iter().enumerate() {
            parts.push(format!("#n{at} = :v{at}"));
            update = update.expression_attribute_names(format!("#n{at}"), name);
            update = update.expression_attribute_values(format!(":v{at}"), attribute(value));
        }
        let update = update.update_expression(format!("SET {}", parts.join(", ")));
        update.send().await.expect("the row is changed");
    }
}
