//! The gate to language models: the only place with keys (daemon/docs/MODELS.md).
//!
//! ```text
//! request → token → books: reserve → route (alias → provider, fallback) → provider's stream → pass on → books: settle
//! ```
//!
//! | file | role |
//! |---|---|
//! | `grant` | tokens, and what they allow |
//! | `providers`, `discover` | providers that are written down, and those that are found |
//! | `routes` | what a name stands for |
//! | `prices` | what tokens cost |
//! | `ledger` | the books of a call, between `nexus-model` and the store |
//! | `gateway` | one call with all that is around it |
//! | `issue` | what a build or an agent is handed to ask with |
//! | `server`, `answers` | the socket and the port; chat completions, Responses, the list of models |

mod answers;
mod discover;
mod gateway;
mod grant;
mod issue;
mod ledger;
mod prices;
mod providers;
mod routes;
mod server;
mod start;

pub use discover::discover;
pub use gateway::{Call, Gateway, GatewayParts};
pub use grant::{Grant, Grants};
pub use issue::AccessIssuer;
pub use ledger::{from_dollars, to_dollars};
pub use prices::{AS_OF, price, price_of_id};
pub use providers::{Found, Provider};
pub use routes::{Candidate, Routes};
pub use server::{Doors, Place, open};
pub use start::{Surroundings, start};
