//! AgentCore and S3 over HTTP.
//!
//! Without the SDK's crates for AgentCore: the dozen requests that are needed are plain JSON over REST, the crates cost
//! 88 CPU-seconds of every cold build (measured: control plane 63, data plane 26), cannot ask a runtime that is protected
//! by tokens, and know no warm-up hook. Credentials and signatures are the SDK's own.

mod answer;
mod bucket;
mod connect;
mod control;
mod error;
mod rest;
mod sign;

pub(crate) use answer::Question;
pub(crate) use bucket::Bucket;
pub(crate) use connect::{Cloud, is_region};
pub(crate) use control::{FINGERPRINT, Runtime, State};
pub(crate) use error::{CloudError, Refusal};
