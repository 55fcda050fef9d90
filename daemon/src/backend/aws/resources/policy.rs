//! The IAM policy of a daemon: what it does, and nothing beside.

use serde_json::{Value, json};

use super::{QUEUES, name_of};
use crate::backend::{aws::dynamodb::table::Table, queue::QueueNames};

/// The policy for the resources with `prefix` in `region` of `account`, either of which may be `*`. `bucket` is that of
/// the artifacts, with its folder if there is one. Who is `moving` reads whole tables, too.
pub fn policy(
    prefix: &str,
    names: &QueueNames,
    region: &str,
    account: &str,
    bucket: Option<&str>,
    moving: bool,
) -> Value {
    let table = |table: &Table| format!("arn:aws:dynamodb:{region}:{account}:table/{prefix}{}", table.name());
    let with_indexes = Table::ALL.iter().filter(|table| !table.indexes().is_empty());
    let tables: Vec<String> = Table::ALL.iter().map(table).collect();
    let indexes: Vec<String> = with_indexes.map(|of| format!("{}/index/*", table(of))).collect();
    // Notifications are sent by nobody yet.
    let queues = QUEUES.into_iter().filter(Option::is_some).map(|queue| name_of(names, queue));
    let queues: Vec<String> = queues.map(|name| format!("arn:aws:sqs:{region}:{account}:{name}")).collect();
    let mut of_items = vec![
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:ConditionCheckItem",
    ];
    if moving {
        of_items.push("dynamodb:Scan");
    }
    let mut statements = vec![
        json!({ "Sid": "Items", "Effect": "Allow", "Action": of_items, "Resource": tables }),
        json!({ "Sid": "Indexes", "Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": indexes }),
        json!({
            "Sid": "Messages",
            "Effect": "Allow",
            "Action": [
                "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage", "sqs:ReceiveMessage",
                "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
            ],
            "Resource": queues,
        }),
    ];
    if let Some(place) = bucket {
        let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
        let below = if folder.is_empty() { String::new() } else { format!("{}/", folder.trim_end_matches('/')) };
        let names = json!({
            "Sid": "ArtifactNames",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [format!("arn:aws:s3:::{bucket}")],
            "Condition": { "StringLike": { "s3:prefix": [format!("{below}*")] } },
        });
        statements.push(json!({
            "Sid": "Artifacts",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": [format!("arn:aws:s3:::{bucket}/{below}*")],
        }));
        statements.push(names);
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}
