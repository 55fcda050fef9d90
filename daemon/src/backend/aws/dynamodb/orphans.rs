//! What lies in the artifact store and no item refers to: an object is written before the item that refers to it, and a
//! process may end in between. Only shown, never removed.

use std::{collections::HashSet, time::Duration};

use futures::TryStreamExt as _;

use super::{
    DynamoStore,
    client::failed,
    codec::Reader,
    overflow::{FOLDER, REFERENCE},
    table::Table,
};
use crate::backend::{
    error::{BackendError, BackendErrorKind},
    store::Result,
};

/// Younger than this, and the item may just be on its way.
const SETTLED: Duration = Duration::from_secs(3_600);

/// An object that no item refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub path: String,
    /// How large it is.
    pub bytes: u64,
}

impl DynamoStore {
    /// Parts of records that no record refers to, by path. Lists the artifact store, and scans the tables when it must: for
    /// diagnostics.
    pub async fn orphans(&self) -> Result<Vec<Orphan>> {
        self.orphans_older_than(SETTLED).await
    }

    /// The same for objects of another age.
    ///
    /// # Errors
    /// See [`Self::orphans`].
    pub async fn orphans_older_than(&self, age: Duration) -> Result<Vec<Orphan>> {
        let away = |error: object_store::Error| {
            BackendError::new(BackendErrorKind::Unavailable, "the artifact store is not available").because(error)
        };
        // First the objects: an item that is written meanwhile refers to one that is not among them, or is found below.
        let mut found = Vec::new();
        let mut all = self.overflow.0.list(None);
        while let Some(object) = all.try_next().await.map_err(away)? {
            let path = object.location.to_string();
            let is_old =
                std::time::SystemTime::from(object.last_modified).elapsed().is_ok_and(|elapsed| elapsed >= age);
            if is_old && path.split('/').rev().nth(1) == Some(FOLDER) {
                found.push(Orphan { path, bytes: object.size });
            }
        }
        if found.is_empty() {
            return Ok(found);
        }
        let mut referred = HashSet::new();
        for table in Table::ALL {
            referred.extend(self.references_in(table).await?);
        }
        found.retain(|orphan| !referred.contains(&orphan.path));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    async fn references_in(&self, table: Table) -> Result<Vec<String>> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let request = self.tables.client.scan().table_name(self.tables.name(table)).consistent_read(true);
            let request = request.filter_expression("attribute_exists(#r)").projection_expression("#r");
            let request = request.expression_attribute_names("#r", REFERENCE).set_exclusive_start_key(from);
            let answer = self.tables.ask("scan", request.send()).await?.map_err(failed)?;
            found.extend(answer.items().iter().filter_map(|item| Reader(item).text(REFERENCE)));
            from = answer.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }
}
