//! Runtimes: what is known of an agent's, what is wanted of it, and how it comes to be so or is taken away.

mod bring_about;
mod endpoint;
mod known;
mod take_down;
mod wanted;

pub(crate) use bring_about::{bring_about, look_at_adopted};
pub(crate) use known::{Known, find};
pub(crate) use take_down::take_down;
pub(crate) use wanted::Wanted;

use std::time::Duration;

/// Pause between two looks: short at first, for what is nearly done.
struct Pace(Duration);

impl Pace {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(3);

    const fn new() -> Self {
        Self(Self::FIRST)
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = self.0.mul_f64(1.6).min(Self::LONGEST);
    }
}
