//! Items stay below DynamoDB's 400 KB: what makes one larger goes to the artifact store and leaves a reference.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use serde_json::{Map, Value};

use super::value::{self, Item};
use crate::store::{Result, StoreError, StoreErrorKind};

/// Bytes above which an item is made smaller.
pub(crate) const MOST: usize = 350 * 1024;
/// Where the attributes are that are not in the item.
const REFERENCE: &str = "overflow_ref";
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

/// See the module.
#[derive(Clone)]
pub(crate) struct Overflow(pub(crate) Arc<dyn ObjectStore>);

fn away(error: object_store::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the artifact store is not available").because(error)
}

impl Overflow {
    /// Makes an item small enough. The object is written before the item that refers to it, so an item never refers
    /// to nothing.
    pub(crate) async fn shrink(&self, item: &mut Item) -> Result<()> {
        self.shrink_to(item, MOST).await
    }

    /// The same with a limit of one's own: a unit of many such items must stay below its limit, too.
    pub(crate) async fn shrink_to(&self, item: &mut Item, most: usize) -> Result<()> {
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
            return Err(StoreError::new(StoreErrorKind::Invalid, text));
        }
        // With the files of its project, so that it goes with them.
        let owner = match item.get("project_id") {
            Some(AttributeValue::S(id)) => crate::artifacts::folder_of(id),
            _ => "shared".to_owned(),
        };
        let path = format!("{owner}/overflow/{}.json", ulid::Ulid::generate());
        let text = serde_json::to_vec(&Value::Object(moved))?;
        self.0.put(&Path::from(path.as_str()), text.into()).await.map_err(away)?;
        item.insert(REFERENCE.to_owned(), value::text(path));
        Ok(())
    }

    /// Puts back what was moved away; answers the names.
    pub(crate) async fn restore(&self, item: &mut Item) -> Result<Vec<String>> {
        let Some(AttributeValue::S(path)) = item.remove(REFERENCE) else { return Ok(Vec::new()) };
        let object = self.0.get(&Path::from(path.as_str())).await.map_err(away)?;
        let bytes = object.bytes().await.map_err(away)?;
        let moved: Map<String, Value> = serde_json::from_slice(&bytes)?;
        let names = moved.keys().cloned().collect();
        item.extend(moved.iter().map(|(name, value)| (name.clone(), value::attribute(value))));
        Ok(names)
    }

    /// Removes everything of a project: what lies here of its items, and its files.
    pub(crate) async fn forget(&self, project: &str) -> Result<()> {
        let folder = Path::from(crate::artifacts::folder_of(project));
        let found: Vec<_> = self.0.list(Some(&folder)).try_collect().await.map_err(away)?;
        for object in found {
            self.0.delete(&object.location).await.map_err(away)?;
        }
        Ok(())
    }

    /// The same for many.
    pub(crate) async fn restore_all(&self, items: &mut [Item]) -> Result<()> {
        for item in items.iter_mut().filter(|item| item.contains_key(REFERENCE)) {
            self.restore(item).await?;
        }
        Ok(())
    }
}
