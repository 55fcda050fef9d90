//! One call with all that is around it.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use nexus_model::{ChatStream, Deadlines, ErrorKind, Identity, ModelError, RetryRules, Stack};
use tokio_util::task::TaskTracker;

use super::ledger::{CallBooks, accounts};
use super::{Grant, Grants, Routes, price};
use crate::backend::store::Store;
use crate::config::Config;

/// The gate. Clones are the same gate.
#[derive(Clone)]
pub struct Gateway {
    parts: Arc<GatewayParts>,
}

/// What the gate works with.
pub struct GatewayParts {
    pub store: Arc<dyn Store>,
    pub config: Arc<ArcSwap<Config>>,
    pub routes: ArcSwap<Routes>,
    pub grants: Grants,
    pub tasks: TaskTracker,
}

/// A call, before it is made.
pub struct Call {
    pub grant: Grant,
    /// An alias or a model.
    pub model: String,
    pub request: nexus_model::ChatRequest,
    /// Unique for ever: one id is booked once.
    pub id: String,
}

impl Gateway {
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.parts.grants
    }

    #[must_use]
    pub fn routes(&self) -> Arc<Routes> {
        self.parts.routes.load_full()
    }

    /// Puts newly found providers into force.
    pub fn set_routes(&self, routes: Routes) {
        self.parts.routes.store(Arc::new(routes));
    }

    /// Makes a call. The stream's first event is there when this answers, so that a failure before it still has a status.
    ///
    /// # Errors
    /// As the providers say; [`ErrorKind::BudgetExhausted`] before anything is sent.
    pub async fn stream(&self, call: Call) -> Result<ChatStream, ModelError> {
        let config = self.parts.config.load_full();
        let models = &config.models;
        let (candidates, route) =
            self.routes().resolve(&call.model).map_err(|problem| ModelError::new(ErrorKind::UnknownModel, problem))?;
        let mut request = call.request;
        let max_output = request.max_tokens.unwrap_or(models.max_output_tokens);
        request.max_tokens = Some(max_output);
        let prices = candidates.iter().map(|one| {
            let who = Identity::new(&one.provider.name, &one.model);
            (who, price(&config.pricing, &one.provider.name, one.provider.local, &one.model))
        });
        let books = CallBooks {
            store: Arc::clone(&self.parts.store),
            tasks: self.parts.tasks.clone(),
            call_id: call.id,
            accounts: accounts(&call.grant, &models.budget),
            prices: prices.collect(),
            max_output: u64::from(max_output),
            lasts: models.call_secs.duration(),
            route,
            begun: Instant::now(),
        };
        let mut chain = candidates.iter().map(|one| one.provider.model(&one.model));
        let none = || ModelError::new(ErrorKind::UnknownModel, "there is no provider to ask");
        let first = chain.next().ok_or_else(none)?;
        chain
            .fold(Stack::of(first), Stack::or)
            .deadlines(Deadlines {
                first: Some(models.first_event_secs.duration()),
                between: Some(models.between_events_secs.duration()),
                whole: None,
            })
            .within(models.call_secs.duration())
            .retry(RetryRules { attempts: models.attempts, ..RetryRules::default() })
            .budget(Arc::new(books))
            .build()
            .stream(request)
            .await
    }
}
