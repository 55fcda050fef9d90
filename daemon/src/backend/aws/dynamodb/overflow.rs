//! Items stay below DynamoDB's 400 KB: what makes one larger goes to the artifact store and leaves a reference.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use serde_json::{Map, Value};

use super::value::{self, Item};
use crate::backend::{
    error::{BackendError, BackendErrorKind},
    files::{Owner, remove_all, remove_object},
    store::Result,
};

/// Bytes above which an item is made smaller.
pub(crate) const MOST: usize = 350 * 1024;
/// Where the attributes are that are not in the item.
pub(super) const REFERENCE: &str = "overflow_ref";
/// The folder of such parts in that of what they belong to.
pub(super) const FOLDER: &str = "overflow";
/// Attributes that are never moved: keys, and what lists and conditions read.
const MOVABLE: [&str; 11] = [
    "output_data",
    "agent_output_content",
    "logs",
    "generated_files",
    "design_document",
    "requirement",
    "content",
    "input_text",
    "output_text",
    "metadata",
    "answer",
];

#[derive(Clone)]
pub(crate) struct Overflow(pub(crate) Arc<dyn ObjectStore>);

fn away(error: object_store::Error) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "the artifact store is not available").because(error)
}

/// What an item belongs to.
fn owner_of(item: &Item) -> Option<Owner> {
    let id = |name: &str| match item.get(name) {
        Some(AttributeValue::S(id)) => Some(id.as_str()),
        _ => None,
    };
    let project = id("project_id").and_then(|id| id.parse().ok()).map(Owner::Project);
    let agent = || id("agent_id").and_then(|id| id.parse().ok()).map(Owner::Agent);
    let session = || id("session_id").and_then(|id| id.parse().ok()).map(Owner::Session);
    project.or_else(agent).or_else(session)
}

impl Overflow {
    /// Makes an item small enough. The object is written before the item that refers to it, so an item never refers
    /// to nothing.
    pub(crate) async fn shrink(&self, item: &mut Item) -> Result<()> {
        self.shrink_to(item, MOST).await
    }

    /// The same with a limit of one's own: a unit of many such items must stay below its limit, too.
    pub(crate) async fn shrink_to(&self, item: &mut Item, most: usize) -> Result<()> {
        let owner = owner_of(item).map_or_else(|| "shared".to_owned(), |owner| owner.folder());
        self.shrink_into(item, &owner, most).await
    }

    /// The same for an item that does not tell what it belongs to.
    pub(crate) async fn shrink_for(&self, item: &mut Item, owner: &Owner) -> Result<()> {
        self.shrink_into(item, &owner.folder(), MOST).await
    }

    async fn shrink_into(&self, item: &mut Item, owner: &str, most: usize) -> Result<()> {
        let sizes = value::item_size;
        if sizes(item) <= most {
            return Ok(());
        }
        let mut moved = Map::new();
        let mut by_size: Vec<(usize, &str)> =
            MOVABLE.iter().filter_map(|name| Some((value::size(item.get(*name)?), *name))).collect();
        by_size.sort_unstable_by(|a, b| b.cmp(a));
        for (_, name) in by_size {
            if sizes(item) <= most {
                break;
            }
            if let Some(attribute) = item.remove(name) {
                moved.insert(name.to_owned(), value::json(&attribute));
            }
        }
        if sizes(item) > MOST {
            let text = "this is too large to be stored, even without its longest parts";
            return Err(BackendError::new(BackendErrorKind::Invalid, text));
        }
        // With whatever it belongs to, so that it goes with it.
        let path = format!("{owner}/{FOLDER}/{}.json", ulid::Ulid::generate());
        let text = serde_json::to_vec(&Value::Object(moved))?;
        self.0.put(&Path::from(path.as_str()), text.into()).await.map_err(away)?;
        item.insert(REFERENCE.to_owned(), value::text(path));
        Ok(())
    }

    /// Puts back what was moved away; answers the names.
    pub(crate) async fn restore(&self, item: &mut Item) -> Result<Vec<String>> {
        let Some(AttributeValue::S(path)) = item.remove(REFERENCE) else { return Ok(Vec::new()) };
        let object = match self.0.get(&Path::from(path.as_str())).await {
            Err(error @ object_store::Error::NotFound { .. }) => {
                let text = "a part of this record is gone from the artifact store";
                return Err(BackendError::new(BackendErrorKind::Corrupt, text).because(error));
            }
            object => object.map_err(away)?,
        };
        let bytes = object.bytes().await.map_err(away)?;
        let moved: Map<String, Value> = serde_json::from_slice(&bytes)?;
        let names = moved.keys().cloned().collect();
        item.extend(moved.iter().map(|(name, value)| (name.clone(), value::attribute(value))));
        Ok(names)
    }

    /// Removes everything of an owner: what lies here of its items, and its files.
    pub(crate) async fn forget(&self, owner: &Owner) -> Result<()> {
        remove_all(&self.0, owner).await
    }

    /// Removes what lies here of items that are about to go.
    pub(crate) async fn forget_of(&self, items: &[Item]) -> Result<()> {
        for item in items {
            if let Some(AttributeValue::S(path)) = item.get(REFERENCE) {
                remove_object(&self.0, &Path::from(path.as_str())).await?;
            }
        }
        Ok(())
    }

    /// The same for many that are only shown: one whose part is gone does not hide the others, nor what is left of it.
    /// (A deletion removes objects before their rows, and may be cut off in between.)
    pub(crate) async fn restore_all(&self, items: &mut [Item]) -> Result<()> {
        for item in items.iter_mut().filter(|item| item.contains_key(REFERENCE)) {
            match self.restore(item).await {
                Err(error) if error.kind() == BackendErrorKind::Corrupt => {
                    tracing::warn!(%error, "a record is shown without its large part, which the artifact store has lost");
                }
                restored => drop(restored?),
            }
        }
        Ok(())
    }
}
