//! A gate over a store of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use nexus_daemon::{
    backend::{
        sqlite::{SqliteOptions, SqliteStore},
        store::{Amount, Nobody, prelude::*},
    },
    config::{Config, Price},
    domain::time::Timestamp,
    models::{Doors, Found, Gateway, GatewayParts, Grant, Grants, Provider, Routes, open},
};
use nexus_model::{
    ChatModel, Usage,
    providers::{Connection, Key, OpenAi, Place, Reply, Scripted, Server},
};
use tokio_util::task::TaskTracker;

/// Nothing here takes that long; without it a fault would hang the suite.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub gateway: Gateway,
    pub doors: Doors,
    pub store: Arc<SqliteStore>,
    pub tasks: TaskTracker,
    /// Store and socket lie in it.
    _folder: tempfile::TempDir,
}

/// Costs 3 dollars for a million tokens in, 15 out.
pub fn priced() -> Config {
    let price = Price { input_usd_per_million: 3.0, output_usd_per_million: 15.0, ..Price::default() };
    let mut config = Config::default();
    config.pricing.insert("script".into(), price);
    config
}

pub fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

/// What usage costs at the prices of [`priced`].
pub fn booked(input: u64, output: u64) -> Amount {
    Amount { cost: input * 3_000_000 + output * 15_000_000, tokens: input + output }
}

impl World {
    pub async fn new(config: Config, providers: Vec<Provider>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _queue) =
            SqliteStore::open(folder.path().join("nexus.db"), SqliteOptions::default(), Arc::new(Nobody)).unwrap();
        let tasks = TaskTracker::new();
        let routes = Routes::new(Found { providers, problems: Vec::new() }, config.models.routes.clone());
        let gateway = Gateway::new(GatewayParts {
            store: store.clone(),
            config: Arc::new(ArcSwap::from_pointee(config)),
            routes: ArcSwap::from_pointee(routes),
            grants: Grants::with_key(b"a key of tests"),
            tasks: tasks.clone(),
        });
        let doors = open(&gateway, "127.0.0.1:0".parse().unwrap(), folder.path()).await.unwrap();
        Self { gateway, doors, store, tasks, _folder: folder }
    }

    /// One provider with a script.
    pub async fn scripted(config: Config, replies: impl IntoIterator<Item = Reply>) -> (Self, Scripted) {
        let model = Scripted::named("script", replies);
        let provider = Provider::fixed("script", false, Arc::new(model.clone()));
        (Self::new(config, vec![provider]).await, model)
    }

    pub fn token(&self, grant: &Grant) -> String {
        self.gateway.grants().mint(grant, PATIENCE)
    }

    pub fn project_token(&self) -> String {
        self.token(&Grant { project: Some("p".into()), run: Some("r".into()), ..Grant::default() })
    }

    fn client_at(&self, place: &Place, model: &str) -> Arc<dyn ChatModel> {
        let connection = Connection::new(place, Key::fixed(&self.project_token())).unwrap();
        Arc::new(OpenAi::new("gate", model, Server::named("gateway").unwrap(), connection))
    }

    /// Our own client on the port.
    pub fn client(&self, model: &str) -> Arc<dyn ChatModel> {
        self.client_at(&Place::Url(self.doors.place.base_url.clone()), model)
    }

    /// Our own client on the socket.
    pub fn socket_client(&self, model: &str) -> Arc<dyn ChatModel> {
        let socket = self.doors.place.socket.clone().unwrap();
        self.client_at(&Place::Socket { socket, path: "/v1".into() }, model)
    }

    /// Waits until what was called is settled, and says what an account holds.
    pub async fn settled(&self, account: &str) -> Amount {
        let begun = Instant::now();
        while !self.tasks.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "a call is never settled");
            tokio::task::yield_now().await;
        }
        self.store.account(account).await.unwrap().used
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: &str) -> (u16, serde_json::Value) {
        let request =
            reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{}{path}", self.doors.place.base_url));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// The account of today.
pub fn day() -> String {
    format!("day:{}", &Timestamp::now().to_string()[..10])
}
