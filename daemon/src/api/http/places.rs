//! Who has a place and who is a guest. When all connections that the settings allow are there, a few more are let in for a
//! moment: they may ask how the daemon is, and nothing else.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use salvo::{Request, conn::SocketAddr};

use super::{error::ApiError, host};

/// Guests at a time.
pub(crate) const GUESTS: usize = 64;

/// The connections of one server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    taken: AtomicUsize,
    guests: AtomicUsize,
    who: Mutex<HashSet<String>>,
}

/// One connection, until it is dropped.
pub(crate) struct Place {
    places: Places,
    /// The address of a guest.
    guest: Option<String>,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        let (taken, guests) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inner { most, taken, guests, who: Mutex::default() }))
    }

    /// A place for a connection, or that of a guest.
    pub(crate) fn take(&self, address: &SocketAddr) -> Place {
        let before = self.0.taken.fetch_add(1, Ordering::Relaxed);
        let guest = (before >= self.0.most).then(|| address.to_string());
        if let Some(guest) = &guest {
            self.0.guests.fetch_add(1, Ordering::Relaxed);
            self.0.who.lock().unwrap_or_else(PoisonError::into_inner).insert(guest.clone());
        }
        Place { places: self.clone(), guest }
    }

    /// Whether the connection of a request is a guest's.
    pub(crate) fn is_guest(&self, req: &Request) -> bool {
        self.0.guests.load(Ordering::Relaxed) > 0
            && self.0.who.lock().unwrap_or_else(PoisonError::into_inner).contains(&req.remote_addr().to_string())
    }

    /// The error for a guest who asks for anything but the health.
    pub(crate) fn refusal(&self, req: &Request) -> Option<ApiError> {
        if host::is_open(req.uri().path()) || !self.is_guest(req) {
            return None;
        }
        let message = "all connections that the daemon serves are taken; try again".to_owned();
        Some(ApiError::Unavailable { code: "OVERLOADED", message })
    }
}

impl Place {
    pub(crate) const fn is_guest(&self) -> bool {
        self.guest.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(guest) = &self.guest {
            self.places.0.guests.fetch_sub(1, Ordering::Relaxed);
            self.places.0.who.lock().unwrap_or_else(PoisonError::into_inner).remove(guest);
        }
    }
}
