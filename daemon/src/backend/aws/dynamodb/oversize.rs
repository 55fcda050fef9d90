//! Writes of a change that are more than its unit holds. They go ahead of it in units of their own, each under the
//! change's own condition on its project: an owner that was overtaken writes none of them.

use super::{
    DynamoStore,
    table::Table,
    unit::{AsRead, Change, Guard, MOST_BYTES, Refused, Unit},
    value::Item,
};
use crate::backend::store::Result;

pub(crate) enum Ahead {
    Update(Table, Item, Change),
    Delete(Table, Item),
}

impl DynamoStore {
    /// Writes them, as long as the project is as it was read. They can be written again: the inner error leaves what was
    /// written by then to whoever changes the project next.
    pub(crate) async fn write_ahead(
        &self,
        ahead: Vec<Ahead>,
        project: &Item,
        read: AsRead<'_>,
    ) -> Result<std::result::Result<(), Refused>> {
        let mut all = ahead.into_iter().peekable();
        while all.peek().is_some() {
            let mut unit = Unit::default();
            unit.check(&self.tables, Table::Projects, project.clone(), &Guard::AsRead(read), Refused::Stale)?;
            while unit.room() > 0 && unit.bytes() < MOST_BYTES / 2 {
                match all.next() {
                    Some(Ahead::Update(table, key, change)) => {
                        unit.update(&self.tables, table, key, change, &Guard::Open, Refused::Stale)?;
                    }
                    Some(Ahead::Delete(table, key)) => {
                        unit.delete(&self.tables, table, key, &Guard::Open, Refused::Stale)?;
                    }
                    None => break,
                }
            }
            if let Err(refused) = unit.commit(&self.tables).await? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }
}
