//! The books of one call: what `nexus-model` asks of a ledger, kept in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nexus_model::{ChatRequest, Cost, ErrorKind, Identity, Ledger, ModelError, Price, Reservation, Settlement};
use tokio_util::task::TaskTracker;

use super::Grant;
use crate::backend::store::{Account, Amount, Booking, Limits, NewCall, Store};
use crate::config::BudgetConfig;
use crate::domain::time::Timestamp;
use crate::telemetry::names;

/// How long after its deadline a call counts as lost.
const GRACE: Duration = Duration::from_secs(300);
/// Tries to write a settlement; what is never written stays booked as it was set aside.
const SETTLE_TRIES: u32 = 5;

/// The cost booked by this process, in millionths of a millionth of a dollar.
static COST: AtomicU64 = AtomicU64::new(0);

/// A call before its books are opened.
pub(super) struct CallBooks {
    pub(super) store: Arc<dyn Store>,
    pub(super) tasks: TaskTracker,
    pub(super) call_id: String,
    pub(super) accounts: Vec<Account>,
    /// Of each model that may answer.
    pub(super) prices: Vec<(Identity, Option<Price>)>,
    pub(super) max_output: u64,
    pub(super) lasts: Duration,
    /// For metrics.
    pub(super) route: String,
    pub(super) begun: Instant,
}

/// The accounts of a grant, with the limits of the settings.
///
/// `of_agent` are the limits that the agent has of its own for a day: of them and the settings', the lower ones hold.
pub(super) fn accounts(grant: &Grant, budget: &BudgetConfig, of_agent: Limits) -> Vec<Account> {
    let now = Timestamp::now().to_string();
    let day = now.get(..10).unwrap_or_default();
    let account = |name: String, usd: f64, tokens: u64| Account {
        name,
        most_cost: (usd > 0.0).then(|| from_dollars(usd)),
        most_tokens: (tokens > 0).then_some(tokens),
    };
    let mut accounts = vec![account(format!("day:{day}"), budget.day_usd, budget.day_tokens)];
    let mut push = |kind: &str, id: &Option<String>, per_day: bool, usd: f64, tokens: u64| {
        if let Some(id) = id {
            let name = if per_day { format!("{kind}:{id}@{day}") } else { format!("{kind}:{id}") };
            accounts.push(account(name, usd, tokens));
        }
    };
    push("run", &grant.run, false, budget.run_usd, budget.run_tokens);
    push("project", &grant.project, false, budget.project_usd, budget.project_tokens);
    push("agent", &grant.agent, true, budget.agent_day_usd, budget.agent_day_tokens);
    push("caller", &grant.caller, true, budget.caller_day_usd, budget.caller_day_tokens);
    let lower = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    if let Some(account) = accounts.iter_mut().find(|account| account.name.starts_with("agent:")) {
        account.most_cost = lower(account.most_cost, of_agent.cost);
        account.most_tokens = lower(account.most_tokens, of_agent.tokens);
    }
    accounts
}

/// Dollars as the books have them.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0, and `as` saturates
pub fn from_dollars(usd: f64) -> u64 {
    (usd * 1e12) as u64
}

/// Dollars of the books.
#[must_use]
pub fn to_dollars(cost: u64) -> f64 {
    Cost(cost).dollars()
}

impl CallBooks {
    /// The most that one attempt can cost, whoever of the candidates answers.
    fn most(&self, request: &ChatRequest) -> Amount {
        let input = request.most_input_tokens();
        let costs = self.prices.iter().filter_map(|(_, price)| Some(price.as_ref()?.most(input, self.max_output).0));
        Amount { cost: costs.max().unwrap_or(0), tokens: input.saturating_add(self.max_output) }
    }

    fn unpriced(&self) -> Option<&Identity> {
        self.prices.iter().find(|(_, price)| price.is_none()).map(|(who, _)| who)
    }
}

fn no_price(who: Option<&Identity>, account: &Account) -> ModelError {
    let model = who.map_or("", |who| &who.model);
    let message = format!(
        "{model} has no price, and the budget of {} limits dollars: write [pricing.\"{model}\"] in nexusd.toml",
        account.name
    );
    ModelError::new(ErrorKind::InvalidRequest, message)
}

pub(super) fn unwritten(error: &crate::backend::error::BackendError) -> ModelError {
    ModelError::new(ErrorKind::Overloaded, format!("the books of this call cannot be written: {error}"))
}

fn exhausted(account: &Account, used: Amount, most: Amount) -> ModelError {
    let (kind, id) = account.name.split_once(':').unwrap_or(("day", &account.name));
    let whose = if kind == "day" { format!("of the day {id}") } else { format!("of {kind} {id}") };
    let dollars = |cost: u64| format!("{:.4} USD", Cost(cost).dollars());
    let over_cost = account.most_cost.filter(|limit| used.cost.saturating_add(most.cost) > *limit);
    if kind == "day" {
        // What all spend together is nobody's business but the operator's.
        let message = format!("budget_exhausted: the daemon's budget {whose} does not allow this call");
        return ModelError::new(ErrorKind::BudgetExhausted, message);
    }
    let figures = match (over_cost, account.most_tokens) {
        (Some(limit), _) => {
            let (limit, used, most) = (dollars(limit), dollars(used.cost), dollars(most.cost));
            format!("{used} of {limit} are spent or set aside, and this call can cost {most}")
        }
        (None, limit) => {
            let limit = limit.unwrap_or_default();
            format!("{} of {limit} tokens are spent or set aside, and this call can take {}", used.tokens, most.tokens)
        }
    };
    ModelError::new(
        ErrorKind::BudgetExhausted,
        format!("budget_exhausted: the budget {whose} does not allow this call: {figures}"),
    )
}

#[async_trait]
impl Ledger for CallBooks {
    async fn reserve(&self, request: &ChatRequest) -> Result<Arc<dyn Reservation>, ModelError> {
        let (most, unpriced) = (self.most(request), self.unpriced().cloned());
        let page = Page {
            store: Arc::clone(&self.store),
            tasks: self.tasks.clone(),
            call_id: self.call_id.clone(),
            accounts: self.accounts.clone(),
            prices: self.prices.clone(),
            most,
            extra: AtomicU64::new(0),
            settled: AtomicBool::new(false),
            route: self.route.clone(),
            begun: self.begun,
        };
        let new = NewCall {
            call_id: self.call_id.clone(),
            most,
            is_priced: unpriced.is_none(),
            ends_at: Timestamp::now().plus(self.lasts + GRACE),
            accounts: self.accounts.clone(),
        };
        // In a task of its own: a caller who leaves just now must not leave a reservation without an owner.
        let (answer, booked) = tokio::sync::oneshot::channel();
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move {
            let result = match store.reserve_call(new).await {
                Ok(Booking::Done) => Ok(page),
                Ok(Booking::Exhausted { account, used }) => {
                    page.settled.store(true, Ordering::SeqCst);
                    page.count("budget_exhausted");
                    Err(exhausted(&account, used, most))
                }
                Ok(Booking::Unpriced { account }) => {
                    page.settled.store(true, Ordering::SeqCst);
                    page.count("unpriced");
                    Err(no_price(unpriced.as_ref(), &account))
                }
                Err(error) => {
                    // It may have been written in spite of the error: given back as far as it was.
                    drop(page);
                    Err(unwritten(&error))
                }
            };
            // A page that nobody takes gives back what it holds when it is dropped.
            drop(answer.send(result));
        });
        let gone = || ModelError::new(ErrorKind::Overloaded, "the daemon ends");
        booked.await.map_err(|_| gone())?.map(|page| Arc::new(page) as Arc<dyn Reservation>)
    }
}

/// The open books of a call.
struct Page {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    call_id: String,
    accounts: Vec<Account>,
    prices: Vec<(Identity, Option<Price>)>,
    most: Amount,
    /// Attempts reserved beyond the first.
    extra: AtomicU64,
    settled: AtomicBool,
    route: String,
    begun: Instant,
}

impl Page {
    /// What the call did cost; `None` keeps all that was set aside.
    fn spent(&self, settlement: &Settlement) -> Option<Amount> {
        let price = |who: &Identity| self.prices.iter().find(|(known, _)| known == who).and_then(|(_, price)| *price);
        let mut known = Amount::default();
        for (who, usage) in &settlement.used {
            let cost = price(who).map_or(0, |price| price.of(usage).0);
            known = known.plus(Amount { cost, tokens: usage.total() });
        }
        let extra = self.extra.load(Ordering::SeqCst);
        let times = |times: u64| Amount {
            cost: self.most.cost.saturating_mul(times),
            tokens: self.most.tokens.saturating_mul(times),
        };
        if !settlement.is_open {
            return Some(times(extra).plus(known));
        }
        let more = known.cost > self.most.cost || known.tokens > self.most.tokens;
        // The attempts before the last one are a sum; what is known is of the last one alone.
        let last = Amount { cost: self.most.cost.max(known.cost), tokens: self.most.tokens.max(known.tokens) };
        more.then(|| times(extra).plus(last))
    }

    fn write(&self, spent: Option<Amount>) {
        let (store, call_id) = (Arc::clone(&self.store), self.call_id.clone());
        self.tasks.spawn(async move {
            let mut wait = Duration::from_millis(50);
            for _ in 0..SETTLE_TRIES {
                match store.settle_call(&call_id, spent).await {
                    Ok(booked) => {
                        let cost = booked.map_or(0, |booked| booked.cost);
                        let sum = COST.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
                        metrics::gauge!(names::GEN_AI_COST).set(Cost(sum).dollars());
                        return;
                    }
                    Err(error) => tracing::warn!(%error, call_id, "the cost of a call was not written"),
                }
                tokio::time::sleep(wait).await;
                wait *= 4;
            }
            tracing::error!(call_id, "the cost of a call was never written: what was set aside for it counts as spent");
        });
    }

    fn count(&self, outcome: &'static str) {
        let provider = self.prices.first().map_or_else(|| "none".to_owned(), |(who, _)| who.provider.to_string());
        metrics::counter!(names::GEN_AI_CALLS, "gen_ai_provider_name" => provider, "route" => self.route.clone(), "outcome" => outcome)
            .increment(1);
    }

    fn measure(&self, settlement: &Settlement) {
        let outcome = match &settlement.error {
            _ if settlement.is_cancelled => "cancelled",
            Some(error) => error.kind.as_str(),
            None => "completed",
        };
        self.count(outcome);
        let provider = |who: &Identity| who.provider.to_string();
        for (who, usage) in &settlement.used {
            let types = [
                ("input", usage.input),
                ("output", usage.output),
                ("cache_read", usage.cache_read),
                ("cache_write", usage.cache_write),
            ];
            for (kind, tokens) in types.into_iter().filter(|(_, tokens)| *tokens > 0) {
                metrics::counter!(names::GEN_AI_TOKENS, "gen_ai_provider_name" => provider(who), "route" => self.route.clone(), "gen_ai_token_type" => kind)
                    .increment(tokens);
            }
        }
        let who = settlement.used.last().map(|(who, _)| who).or_else(|| self.prices.first().map(|(who, _)| who));
        let who = who.map_or_else(|| "none".to_owned(), provider);
        metrics::histogram!(names::GEN_AI_DURATION, "gen_ai_provider_name" => who, "route" => self.route.clone())
            .record(self.begun.elapsed().as_secs_f64());
    }
}

#[async_trait]
impl Reservation for Page {
    async fn another_attempt(&self) -> Result<(), ModelError> {
        match self.store.extend_call(&self.call_id, self.accounts.clone()).await {
            Ok(Booking::Done) => {
                self.extra.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Ok(Booking::Exhausted { account, used }) => Err(exhausted(&account, used, self.most)),
            Ok(Booking::Unpriced { account }) => Err(no_price(None, &account)),
            Err(error) => Err(unwritten(&error)),
        }
    }

    fn settle(&self, settlement: Settlement) {
        if !self.settled.swap(true, Ordering::SeqCst) {
            self.measure(&settlement);
            self.write(self.spent(&settlement));
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Reserved, and never used: nothing was sent.
        if !self.settled.swap(true, Ordering::SeqCst) {
            self.write(Some(Amount::default()));
        }
    }
}
