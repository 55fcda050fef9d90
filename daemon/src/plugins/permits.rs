//! How many jobs of one plugin may run at once. The bound may be changed while jobs hold permits.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lock;

pub(super) struct Permits {
    semaphore: Arc<Semaphore>,
    bound: Mutex<Bound>,
}

struct Bound {
    limit: usize,
    /// Permits that are held though the limit was lowered: they vanish when given back.
    surplus: usize,
}

impl Permits {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Arc::new(Self { semaphore: Arc::new(Semaphore::new(limit)), bound: Mutex::new(Bound { limit, surplus: 0 }) })
    }

    /// Changes the bound; running jobs are not disturbed.
    pub(super) fn resize(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let mut bound = lock(&self.bound);
        if limit > bound.limit {
            let more = limit - bound.limit;
            let forgiven = more.min(bound.surplus);
            bound.surplus -= forgiven;
            self.semaphore.add_permits(more - forgiven);
        } else {
            let fewer = bound.limit - limit;
            bound.surplus += fewer - self.semaphore.forget_permits(fewer);
        }
        bound.limit = limit;
    }

    /// A permit, if one is free.
    pub(super) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let permit = Arc::clone(&self.semaphore).try_acquire_owned().ok()?;
        Some(Permit { permit: Some(permit), permits: Arc::clone(self) })
    }

    /// Waits for a permit, first come first served. Cancel-safe.
    pub(super) async fn acquire(self: &Arc<Self>) -> Option<Permit> {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok()?;
        Some(Permit { permit: Some(permit), permits: Arc::clone(self) })
    }
}

/// The right to run one job, given back on drop.
pub(super) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    permits: Arc<Permits>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut bound = lock(&self.permits.bound);
        if bound.surplus > 0 {
            bound.surplus -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}
