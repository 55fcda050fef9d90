//! One at a time for each owner: what is brought here while a build begins would take away what its first stage wrote.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::Owner;

/// More than this, and those that nobody holds are dropped.
const MANY: usize = 1_000;

#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Owner, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the right to work on an owner's folder, manifest and memory.
    pub(super) async fn of(&self, owner: &Owner) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= MANY {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(owner.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
