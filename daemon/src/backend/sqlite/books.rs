//! The books of what language models cost.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, rows, tx::Tx};
use crate::{
    backend::store::{Account, Amount, Booking, Books, CallState, Limits, NewCall, Result, Statement},
    domain::time::Timestamp,
};

/// SQLite's numbers are signed; more than they hold is no sum of money.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn amount(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Amount> {
    let number = |place| row.get::<_, i64>(place).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(Amount { cost: number(first)?, tokens: number(first + 1)? })
}

fn statement(conn: &Connection, account: &str) -> Result<Statement> {
    let mut find = conn.prepare_cached(
        "SELECT used_cost, used_tokens, most_cost, most_tokens FROM model_accounts WHERE account = ?1",
    )?;
    let limit = |row: &rusqlite::Row<'_>, place| {
        row.get::<_, Option<i64>>(place).map(|number| number.map(|number| u64::try_from(number).unwrap_or(0)))
    };
    let found = find.query_row([account], |row| {
        let limits = Limits { cost: limit(row, 2)?, tokens: limit(row, 3)? };
        Ok(Statement { used: amount(row, 0)?, limits })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// A call as it is kept.
struct Call {
    state: String,
    accounts: Vec<String>,
    most: Amount,
    booked: Amount,
}

fn call(conn: &Connection, id: &str) -> Result<Option<Call>> {
    let mut find = conn.prepare_cached(
        "SELECT state, accounts, most_cost, most_tokens, cost, tokens FROM model_calls WHERE call_id = ?1",
    )?;
    let found = find.query_row([id], |row| {
        Ok(Call { state: row.get(0)?, accounts: rows::json(row, 1)?, most: amount(row, 2)?, booked: amount(row, 4)? })
    });
    Ok(found.optional()?)
}

/// Adds to all accounts, or says which one cannot hold it. Nothing is written before all were looked at.
fn book(tx: &Tx<'_>, accounts: &[Account], more: Amount) -> Result<Option<Booking>> {
    let mut sums = Vec::with_capacity(accounts.len());
    for account in accounts {
        let Statement { used, limits } = statement(tx.conn(), &account.name)?;
        let (sum, account) = (used.plus(more), account.within(limits));
        if !account.holds(sum) {
            return Ok(Some(Booking::Exhausted { account, used }));
        }
        sums.push(sum);
    }
    for (account, sum) in accounts.iter().zip(sums) {
        write_account(tx, &account.name, sum)?;
    }
    Ok(None)
}

fn write_account(tx: &Tx<'_>, name: &str, sum: Amount) -> Result<()> {
    tx.sql(
        "INSERT INTO model_accounts (account, used_cost, used_tokens) VALUES (?1, ?2, ?3)
         ON CONFLICT (account) DO UPDATE SET used_cost = excluded.used_cost, used_tokens = excluded.used_tokens",
    )?
    .execute(params![name, stored(sum.cost), stored(sum.tokens)])?;
    Ok(())
}

fn limit(tx: &Tx<'_>, name: &str, limits: Limits) -> Result<()> {
    tx.sql(
        "INSERT INTO model_accounts (account, used_cost, used_tokens, most_cost, most_tokens) VALUES (?1, 0, 0, ?2, ?3)
         ON CONFLICT (account) DO UPDATE SET most_cost = excluded.most_cost, most_tokens = excluded.most_tokens",
    )?
    .execute(params![name, limits.cost.map(stored), limits.tokens.map(stored)])?;
    Ok(())
}

fn reserve(tx: &Tx<'_>, new: &NewCall) -> Result<Booking> {
    if call(tx.conn(), &new.call_id)?.is_some() {
        return Ok(Booking::Done);
    }
    if let Some(refused) = book(tx, &new.accounts, new.most)? {
        return Ok(refused);
    }
    let names: Vec<&str> = new.accounts.iter().map(|account| account.name.as_str()).collect();
    tx.sql(
        "INSERT INTO model_calls (call_id, state, accounts, most_cost, most_tokens, cost, tokens, ends_at)
         VALUES (?1, 'reserved', ?2, ?3, ?4, ?3, ?4, ?5)",
    )?
    .execute(params![
        new.call_id,
        rows::to_json(&names)?,
        stored(new.most.cost),
        stored(new.most.tokens),
        new.ends_at.to_string()
    ])?;
    Ok(Booking::Done)
}

fn set(tx: &Tx<'_>, id: &str, state: CallState, booked: Amount) -> Result<()> {
    tx.sql("UPDATE model_calls SET state = ?2, cost = ?3, tokens = ?4 WHERE call_id = ?1")?.execute(params![
        id,
        state.as_str(),
        stored(booked.cost),
        stored(booked.tokens)
    ])?;
    Ok(())
}

fn extend(tx: &Tx<'_>, id: &str, accounts: &[Account]) -> Result<Booking> {
    let known = call(tx.conn(), id)?.filter(|call| call.state != CallState::Settled.as_str());
    let known = known.ok_or_else(|| crate::backend::store::alike::unknown_call(id))?;
    // Booked on what it was reserved on; a limit of an account that is not told any more is none.
    let told = |name: &String| accounts.iter().find(|account| account.name == *name).cloned();
    let unlimited = |name: &String| Account { name: name.clone(), most_cost: None, most_tokens: None };
    let accounts: Vec<Account> =
        known.accounts.iter().map(|name| told(name).unwrap_or_else(|| unlimited(name))).collect();
    if let Some(refused) = book(tx, &accounts, known.most)? {
        return Ok(refused);
    }
    set(tx, id, CallState::Reserved, known.booked.plus(known.most))?;
    Ok(Booking::Done)
}

fn settle(tx: &Tx<'_>, id: &str, spent: Option<Amount>) -> Result<Option<Amount>> {
    let Some(known) = call(tx.conn(), id)? else { return Ok(None) };
    if known.state == CallState::Settled.as_str() {
        return Ok(Some(known.booked));
    }
    let spent = spent.unwrap_or(known.booked);
    for name in &known.accounts {
        let sum = statement(tx.conn(), name)?.used.minus(known.booked).plus(spent);
        write_account(tx, name, sum)?;
    }
    set(tx, id, CallState::Settled, spent)?;
    Ok(Some(spent))
}

#[async_trait]
impl Books for SqliteStore {
    async fn reserve_call(&self, new: NewCall) -> Result<Booking> {
        self.write(move |tx| reserve(tx, &new)).await
    }

    async fn extend_call(&self, call_id: &str, accounts: Vec<Account>) -> Result<Booking> {
        let id = call_id.to_owned();
        self.write(move |tx| extend(tx, &id, &accounts)).await
    }

    async fn settle_call(&self, call_id: &str, spent: Option<Amount>) -> Result<Option<Amount>> {
        let id = call_id.to_owned();
        self.write(move |tx| settle(tx, &id, spent)).await
    }

    async fn expire_calls(&self, now: Timestamp, forget: Timestamp) -> Result<u64> {
        self.write(move |tx| {
            let marked = tx
                .sql("UPDATE model_calls SET state = 'expired' WHERE state = 'reserved' AND ends_at < ?1")?
                .execute([now.to_string()])?;
            tx.sql(
                "DELETE FROM model_calls WHERE call_id IN
                 (SELECT call_id FROM model_calls WHERE state <> 'reserved' AND ends_at < ?1 LIMIT 1000)",
            )?
            .execute([forget.to_string()])?;
            Ok(marked as u64)
        })
        .await
    }

    async fn limit_account(&self, name: &str, limits: Limits) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| limit(tx, &name, limits)).await
    }

    async fn account(&self, name: &str) -> Result<Statement> {
        let name = name.to_owned();
        self.ask(move |conn| statement(conn, &name)).await
    }
}
