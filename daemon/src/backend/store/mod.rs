//! Storage, by what the daemon does with it: every method of [`Store`] is one atomic use case.
//!
//! A backend answers a write only when it is durable. One contract suite (`tests/store/contract/`)
//! runs over every backend.

mod aged;
mod agents;
pub(crate) mod alike;
mod books;
mod builds;
mod credentials;
mod figures;
mod model;
pub(crate) mod naming;
mod projects;
mod sessions;
mod statistics;
mod step;
mod tools;
#[cfg(feature = "aws")]
pub mod transfer;
mod upkeep;

pub use aged::{Aged, AgedKind};
pub use agents::{Agents, Deployments};
pub use books::{Account, Amount, Booking, Books, CallState, Limits, NewCall, Statement};
pub use builds::{Builds, Claims, Leases, Reconciliation, Repair};
pub use credentials::{CredentialClass, CredentialRecord, Credentials};
pub use figures::{Activity, DayFigures, Overview, TopAgent};
pub use model::*;
pub use projects::{Control, Events, Lists, Projects, Removal};
pub use sessions::{Answering, Sessions};
pub use statistics::Statistics;
pub use step::*;
pub use tools::Tools;
pub use upkeep::{Deletions, IdempotencyKeys, PastTime, Upkeep};

use crate::{backend::error::BackendError, domain::event::ProjectEvent};

/// The methods of every part, for whoever holds a store by its own type. (`dyn Store` has them without.)
pub mod prelude {
    pub use super::{
        Agents as _, Answering as _, Books as _, Builds as _, Claims as _, Control as _, Credentials as _,
        Deletions as _, Deployments as _, Events as _, IdempotencyKeys as _, Leases as _, Lists as _, PastTime as _,
        Projects as _, Reconciliation as _, Removal as _, Sessions as _, Statistics as _, Tools as _, Upkeep as _,
    };
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, BackendError>;

/// Is told of every project event in the order of the commits, after the commit. Must not block:
/// it runs on the store's writer.
pub trait EventSink: Send + Sync + 'static {
    /// Events of one or more projects, each project's in order.
    fn committed(&self, events: &[ProjectEvent]);

    /// Events of other daemons may have been missed: who listens must read the store.
    fn missed(&self) {}

    /// Whether anybody listens just now, so that a backend may leave out looking for what other daemons did.
    fn listening(&self) -> bool {
        true
    }
}

/// The sink of a command that opens a store beside no daemon: nobody is told of anything.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl EventSink for Nobody {
    fn committed(&self, _: &[ProjectEvent]) {}

    fn listening(&self) -> bool {
        false
    }
}

/// The daemon's memory: the sum of what its parts do. Each method is one atomic use case.
pub trait Store:
    Projects
    + Lists
    + Control
    + Events
    + Removal
    + Claims
    + Builds
    + Leases
    + Reconciliation
    + Agents
    + Deployments
    + Sessions
    + Answering
    + Tools
    + Books
    + Statistics
    + IdempotencyKeys
    + Credentials
    + Deletions
    + PastTime
    + Upkeep
{
}

impl<
    S: Projects
        + Lists
        + Control
        + Events
        + Removal
        + Claims
        + Builds
        + Leases
        + Reconciliation
        + Agents
        + Deployments
        + Sessions
        + Answering
        + Tools
        + Books
        + Statistics
        + IdempotencyKeys
        + Credentials
        + Deletions
        + PastTime
        + Upkeep
        + ?Sized,
> Store for S
{
}
