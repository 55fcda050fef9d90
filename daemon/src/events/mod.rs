//! Events of projects on their way to whoever watches: the [`hub`](EventHub) hands each committed one to its listeners.

mod all;
mod hub;

pub use all::{AllSubscription, Position};
pub use hub::*;
