//! The books of what language models cost. An account and a call are items of the daemon's own table; a unit writes all of them
//! on condition that each is as it was read, and is done again when another was faster.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    DynamoStore,
    aggregate::{contended, pause},
    codec::Reader,
    table::{EXPIRES, Table},
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::store::{
        Account, Amount, Booking, Books, CallState, Limits, NewCall, Result, Statement, alike::unknown_call,
    },
    domain::time::Timestamp,
};

/// Rounds until others are said to write all the time.
const ROUNDS: u32 = 24;
/// A call is forgotten so long after its end, in seconds.
const KEPT: i64 = 30 * 86_400;

fn account_key(name: &str) -> Item {
    Table::State.two(&format!("account#{name}"), "-")
}

fn call_key(id: &str) -> Item {
    Table::State.two(&format!("call#{id}"), "-")
}

/// A whole number to its last digit.
fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn amount(item: &Item) -> Amount {
    Amount { cost: number(item, "used_cost"), tokens: number(item, "used_tokens") }
}

fn fields(amount: Amount) -> Vec<(String, AttributeValue)> {
    vec![("used_cost".to_owned(), value::whole(amount.cost)), ("used_tokens".to_owned(), value::whole(amount.tokens))]
}

fn statement(item: &Item) -> Statement {
    let limit = |name| item.contains_key(name).then(|| number(item, name));
    Statement { used: amount(item), limits: Limits { cost: limit("most_cost"), tokens: limit("most_tokens") } }
}

/// An account as it was read.
struct Read {
    name: String,
    /// `None`: there is none yet.
    found: Option<Statement>,
}

impl DynamoStore {
    async fn read_account(&self, name: &str) -> Result<Read> {
        let found = self.tables.get(Table::State, account_key(name)).await?;
        Ok(Read { name: name.to_owned(), found: found.as_ref().map(statement) })
    }

    /// Writes an account, on condition that it is as it was read.
    fn write_account(&self, unit: &mut Unit, read: &Read, now: Amount) -> Result<()> {
        match read.found {
            None => {
                let mut item = account_key(&read.name);
                item.extend(fields(now));
                unit.put(&self.tables, Table::State, item, &Guard::Absent, Refused::Stale)
            }
            Some(Statement { used, limits }) => {
                let guard = [
                    ("used_cost", Some(value::whole(used.cost))),
                    ("used_tokens", Some(value::whole(used.tokens))),
                    ("most_cost", limits.cost.map(value::whole)),
                    ("most_tokens", limits.tokens.map(value::whole)),
                ];
                let change = Change { set: fields(now), ..Change::default() };
                unit.update(
                    &self.tables,
                    Table::State,
                    account_key(&read.name),
                    change,
                    &Guard::AsRead(&guard),
                    Refused::Stale,
                )
            }
        }
    }

    /// Adds to all accounts in the unit, or says which one cannot hold it.
    async fn book(&self, unit: &mut Unit, accounts: &[Account], more: Amount) -> Result<Option<Booking>> {
        for account in accounts {
            let read = self.read_account(&account.name).await?;
            let Statement { used, limits } = read.found.unwrap_or_default();
            let (sum, account) = (used.plus(more), account.within(limits));
            if !account.holds(sum) {
                return Ok(Some(Booking::Exhausted { account, used }));
            }
            self.write_account(unit, &read, sum)?;
        }
        Ok(None)
    }

    async fn call(&self, id: &str) -> Result<Option<Call>> {
        let Some(item) = self.tables.get(Table::State, call_key(id)).await? else { return Ok(None) };
        let read = Reader(&item);
        let most = Amount { cost: number(&item, "most_cost"), tokens: number(&item, "most_tokens") };
        let accounts = read.text("accounts").map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
        Ok(Some(Call { state: read.text("state").unwrap_or_default(), accounts, most, booked: amount(&item) }))
    }

    /// Changes a call, on condition that it is as it was read.
    fn write_call(&self, unit: &mut Unit, id: &str, read: &Call, state: CallState, booked: Amount) -> Result<()> {
        let mut set = fields(booked);
        set.push(("state".to_owned(), value::text(state.as_str())));
        let guard = [
            ("state", Some(value::text(read.state.as_str()))),
            ("used_cost", Some(value::whole(read.booked.cost))),
            ("used_tokens", Some(value::whole(read.booked.tokens))),
        ];
        let change = Change { set, ..Change::default() };
        unit.update(&self.tables, Table::State, call_key(id), change, &Guard::AsRead(&guard), Refused::Stale)
    }
}

/// A call as it is kept.
struct Call {
    state: String,
    accounts: Vec<String>,
    most: Amount,
    booked: Amount,
}

#[async_trait]
impl Books for DynamoStore {
    async fn reserve_call(&self, new: NewCall) -> Result<Booking> {
        for round in 0..ROUNDS {
            if self.call(&new.call_id).await?.is_some() {
                return Ok(Booking::Done);
            }
            let mut unit = Unit::default();
            if let Some(refused) = self.book(&mut unit, &new.accounts, new.most).await? {
                return Ok(refused);
            }
            let names: Vec<&str> = new.accounts.iter().map(|account| account.name.as_str()).collect();
            let mut item = call_key(&new.call_id);
            item.extend(fields(new.most));
            item.insert("most_cost".into(), value::whole(new.most.cost));
            item.insert("most_tokens".into(), value::whole(new.most.tokens));
            item.insert("accounts".into(), value::text(serde_json::to_string(&names)?));
            item.insert("state".into(), value::text(CallState::Reserved.as_str()));
            item.insert(EXPIRES.into(), value::whole(new.ends_at.as_micros() / 1_000_000 + KEPT));
            unit.put(&self.tables, Table::State, item, &Guard::Absent, Refused::Stale)?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(Booking::Done);
            }
            pause(round).await;
        }
        Err(contended())
    }

    async fn extend_call(&self, call_id: &str, accounts: Vec<Account>) -> Result<Booking> {
        for round in 0..ROUNDS {
            let known = self.call(call_id).await?.filter(|call| call.state != CallState::Settled.as_str());
            let known = known.ok_or_else(|| unknown_call(call_id))?;
            let told = |name: &String| accounts.iter().find(|account| account.name == *name).cloned();
            let unlimited = |name: &String| Account { name: name.clone(), most_cost: None, most_tokens: None };
            let booked: Vec<Account> =
                known.accounts.iter().map(|name| told(name).unwrap_or_else(|| unlimited(name))).collect();
            let mut unit = Unit::default();
            if let Some(refused) = self.book(&mut unit, &booked, known.most).await? {
                return Ok(refused);
            }
            self.write_call(&mut unit, call_id, &known, CallState::Reserved, known.booked.plus(known.most))?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(Booking::Done);
            }
            pause(round).await;
        }
        Err(contended())
    }

    async fn settle_call(&self, call_id: &str, spent: Option<Amount>) -> Result<Option<Amount>> {
        for round in 0..ROUNDS {
            let Some(known) = self.call(call_id).await? else { return Ok(None) };
            if known.state == CallState::Settled.as_str() {
                return Ok(Some(known.booked));
            }
            let spent = spent.unwrap_or(known.booked);
            let mut unit = Unit::default();
            for name in &known.accounts {
                let read = self.read_account(name).await?;
                let sum = read.found.unwrap_or_default().used.minus(known.booked).plus(spent);
                self.write_account(&mut unit, &read, sum)?;
            }
            self.write_call(&mut unit, call_id, &known, CallState::Settled, spent)?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(Some(spent));
            }
            pause(round).await;
        }
        Err(contended())
    }

    /// What nobody settled is spent as it was set aside, and DynamoDB forgets calls by itself: there is nothing to do.
    async fn expire_calls(&self, _now: Timestamp, _forget: Timestamp) -> Result<u64> {
        Ok(0)
    }

    async fn limit_account(&self, name: &str, limits: Limits) -> Result<()> {
        for round in 0..ROUNDS {
            let read = self.read_account(name).await?;
            let mut unit = Unit::default();
            let limit = |name: &str, most: Option<u64>| most.map(|most| (name.to_owned(), value::whole(most)));
            let set = [limit("most_cost", limits.cost), limit("most_tokens", limits.tokens)].into_iter().flatten();
            match &read.found {
                None => {
                    let mut item = account_key(name);
                    item.extend(fields(Amount::default()));
                    item.extend(set);
                    unit.put(&self.tables, Table::State, item, &Guard::Absent, Refused::Stale)?;
                }
                Some(before) => {
                    let guard = [("used_cost", Some(value::whole(before.used.cost)))];
                    let gone = [("most_cost", limits.cost), ("most_tokens", limits.tokens)];
                    let remove = gone.into_iter().filter(|(_, most)| most.is_none()).map(|(name, _)| name.to_owned());
                    let change = Change { set: set.collect(), remove: remove.collect(), ..Change::default() };
                    let key = account_key(name);
                    unit.update(&self.tables, Table::State, key, change, &Guard::AsRead(&guard), Refused::Stale)?;
                }
            }
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(());
            }
            pause(round).await;
        }
        Err(contended())
    }

    async fn account(&self, name: &str) -> Result<Statement> {
        Ok(self.read_account(name).await?.found.unwrap_or_default())
    }
}
