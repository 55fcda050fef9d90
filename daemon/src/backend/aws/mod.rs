//! The cloud wing: DynamoDB holds the records, SQS the queues, S3 what is large. Any number of daemons share it.

pub mod clients;
mod degradation;
pub mod dynamodb;
pub mod resources;
pub mod sqs;

pub use degradation::TroubleLog;
