//! From SQLite's errors to the store's: a kind that callers act on, a text without SQL or path.

use rusqlite::{Error, ErrorCode};

use crate::backend::error::{BackendError, BackendErrorKind as Kind};

impl From<Error> for BackendError {
    fn from(error: Error) -> Self {
        let (kind, text) = match &error {
            Error::SqliteFailure(e, _) => match e.code {
                ErrorCode::DiskFull => (Kind::Unavailable, "the disk is full: free some space, then try again"),
                ErrorCode::ReadOnly => (Kind::Unavailable, "the store cannot be written: its file is read-only"),
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (Kind::Corrupt, "the store's file is damaged"),
                ErrorCode::ConstraintViolation => (Kind::Conflict, "it exists already"),
                ErrorCode::OperationInterrupted => {
                    (Kind::Unavailable, "the question took too long: narrow it down, or try again later")
                }
                ErrorCode::TooBig => (Kind::Invalid, "it is too large to be stored"),
                _ => (Kind::Unavailable, "the store is not available"),
            },
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..) => (Kind::Corrupt, "a stored row cannot be read"),
            Error::QueryReturnedNoRows => (Kind::NotFound, "it does not exist"),
            _ => (Kind::Unavailable, "the store is not available"),
        };
        Self::new(kind, text).because(error)
    }
}

impl From<serde_json::Error> for BackendError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Kind::Corrupt, "a stored value cannot be read").because(error)
    }
}

/// The store is closed or its writer is gone.
pub(crate) fn closed() -> BackendError {
    BackendError::new(Kind::Unavailable, "the store is closed")
}

pub(crate) fn panicked() -> BackendError {
    BackendError::new(Kind::Unavailable, "the store could not carry this out: see the log")
}

pub(crate) use crate::backend::error::{fenced, invalid, not_found};
