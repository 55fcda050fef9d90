//! Hands out what a plugin's job needs to ask for models: the gate's place, and a token that names its account.

use std::time::Duration;

use nexus_plugin_api::payload::ModelAccess;

use super::{Gateway, Grant, Place};

/// Makes [`ModelAccess`]es. Clones are the same.
#[derive(Clone)]
pub struct AccessIssuer {
    gateway: Gateway,
    place: Place,
}

impl AccessIssuer {
    #[must_use]
    pub fn new(gateway: Gateway, place: Place) -> Self {
        Self { gateway, place }
    }

    /// An access on the account of `grant`, whose token ends after `lasts`. `None` when the daemon knows no model.
    #[must_use]
    pub fn issue(&self, grant: &Grant, lasts: Duration) -> Option<ModelAccess> {
        let routes = self.gateway.routes();
        (!routes.is_offline()).then(|| ModelAccess {
            base_url: self.place.base_url.clone(),
            socket: self.place.socket.clone(),
            token: self.gateway.grants().mint(grant, lasts),
            models: routes.first_of_aliases(),
        })
    }
}
