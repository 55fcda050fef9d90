//! What every request passes, whatever it asks for: the socket, the layers around it, how it is read and how it is answered.

pub(crate) mod access;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod idempotency;
pub(crate) mod idle_limits;
pub(crate) mod json;
pub(crate) mod listener;
pub(crate) mod load_shedding;
pub(crate) mod measure;
pub(crate) mod middleware;
pub(crate) mod origins;
pub(crate) mod places;
pub(crate) mod request;
pub(crate) mod request_id;
pub(crate) mod response;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod socket;
pub(crate) mod sse;
pub(crate) mod tls;

pub use error::{ApiError, Resource};
pub use fault::Fault;
pub use serve::{Bound, BoundSocket, bind, bind_socket};
