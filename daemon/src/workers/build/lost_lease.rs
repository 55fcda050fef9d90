//! What becomes of a build whose lease another may hold, whether a renewal or a write was refused: its stages are
//! cancelled, nothing of it is stored any more, and its message, if that is still ours, comes again and is looked at anew.

use std::time::Duration;

use ractor::ActorRef;

use super::{Abandon, BuildMessage, BuildState, ending::AFTER_FAULT};
use crate::domain::queue::Receive;

impl BuildState {
    /// A renewal or a write was refused.
    pub(super) fn lease_lost(&mut self, myself: &ActorRef<BuildMessage>) {
        self.abandon(myself, Abandon::Lost);
    }

    /// Lets go of a build whose lease was lost, once its stages have ended or may no longer be waited for.
    pub(super) fn let_lost_go(&mut self, myself: &ActorRef<BuildMessage>) {
        if self.running.is_empty() {
            // Nothing of it runs here any more, so a lease that the store still has as ours goes back at once. A claim
            // that ended because the store was slow is not one that ended its daemon, and is not counted as such.
            self.hand_back_after(myself, AFTER_FAULT);
        } else {
            self.give_back(myself, Duration::ZERO, Receive::Uncounted);
        }
    }
}
