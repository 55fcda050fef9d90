//! Names that agents are called by: `store/naming.rs` says how they are given.

use rusqlite::{Connection, params};

use crate::backend::store::naming;

/// Gives a name to one agent more; the answer is given to no other.
pub(crate) fn give(conn: &Connection, name: &str) -> rusqlite::Result<String> {
    let next = |name: &str| -> rusqlite::Result<i64> {
        let mut count = conn.prepare_cached(
            "INSERT INTO agent_names (name, given) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET given = given + 1 RETURNING given",
        )?;
        count.query_row([naming::counted(name)], |row| row.get(0))
    };
    let mut number = next(name)?;
    if let (1, Some((stem, own))) = (number, naming::parts(name))
        && !reach(conn, stem, own)?
    {
        number = next(name)?;
    }
    Ok(naming::numbered(name, u64::try_from(number).unwrap_or(1)))
}

/// Notes a name that another store gave.
#[cfg(feature = "aws")]
pub(crate) fn keep(conn: &Connection, name: &str) -> crate::backend::store::Result<()> {
    reach(conn, name, 1)?;
    if let Some((stem, own)) = naming::parts(name) {
        reach(conn, stem, own)?;
    }
    Ok(())
}

/// Has a name go on behind this number; whether it had not come so far.
fn reach(conn: &Connection, name: &str, number: u64) -> rusqlite::Result<bool> {
    let mut raise = conn.prepare_cached(
        "INSERT INTO agent_names (name, given) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET given = excluded.given WHERE given < excluded.given",
    )?;
    Ok(raise.execute(params![naming::counted(name), i64::try_from(number).unwrap_or(i64::MAX)])? > 0)
}

/// Names agents that were registered before there were names, in the order in which they came.
pub(crate) fn name_old(conn: &Connection) -> rusqlite::Result<()> {
    let mut find = conn.prepare(
        "SELECT agent_id, agent_name FROM nexus_agents WHERE display_name = '' ORDER BY created_at, agent_id",
    )?;
    let found = find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old: Vec<(String, String)> = found.collect::<rusqlite::Result<_>>()?;
    for (id, agent_name) in old {
        let name = give(conn, &naming::human(&agent_name))?;
        conn.execute("UPDATE nexus_agents SET display_name = ?2 WHERE agent_id = ?1", params![id, name])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::sqlite::schema;

    #[test]
    fn agents_of_an_older_file_are_named_in_the_order_of_their_coming() {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::migrate_to(&mut conn, 3).unwrap();
        for (id, name, day) in [("agent_c", "price_list", 3), ("agent_a", "Price list", 2), ("agent_b", "fruit", 1)] {
            let sql = "INSERT INTO nexus_agents (agent_id, agent_name, description, category, version, status,
                    deployment_type, capabilities, tools, created_at, updated_at, agent_dir)
                VALUES (?1, ?2, '', '', '1', 'offline', 'local', '[]', '[]', ?3, ?3, 'agent')";
            conn.execute(sql, params![id, name, format!("2026-01-0{day}T00:00:00.000000Z")]).unwrap();
        }
        schema::migrate(&mut conn).unwrap();
        let name = |id: &str| -> String {
            let sql = "SELECT display_name FROM nexus_agents WHERE agent_id = ?1";
            conn.query_row(sql, [id], |row| row.get(0)).unwrap()
        };
        assert_eq!([name("agent_a"), name("agent_b"), name("agent_c")], ["Price list", "Fruit", "Price list 2"]);
        assert_eq!(give(&conn, "price list").unwrap(), "price list 3");
        // What another store numbered is not given again, and neither is its stem.
        keep(&conn, "Offers 2").unwrap();
        assert_eq!([give(&conn, "Offers").unwrap(), give(&conn, "Offers 2").unwrap()], ["Offers 3", "Offers 2 2"]);
    }
}
