//! A task on its way through the queue and its workers: the same for builds and deployments.

use super::Refusal;
use crate::domain::{
    allowed_transitions::{self, TaskEvent},
    ids::WorkerId,
    task::TaskStatus,
};

/// Of a task whose row is written before its message is sent, as a store without a queue of its own must.
pub const UNSENT: TaskStatus = TaskStatus::Pending;
/// Of a task whose message is sent, with its row or after it.
pub const SENT: TaskStatus = TaskStatus::Queued;
/// Of a task that a worker holds.
pub const HELD: TaskStatus = TaskStatus::Running;

/// What a worker's claim makes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedTask {
    pub status: TaskStatus,
    /// Number of the lease.
    pub epoch: u32,
    /// Claims before this one.
    pub retry_count: u32,
}

/// A task as its next claim finds it.
#[derive(Clone, Copy, Debug)]
pub struct Claimable {
    pub status: TaskStatus,
    /// Number of the task's last claim; 0 before the first.
    pub epoch: u32,
    /// What the last claim left there.
    pub retry_count: u32,
    /// The highest number that any lease on the same thing has had, under whatever task: a build that is resumed or
    /// restarted has a task of its own, and what is saved under its leases must come after what was saved before.
    pub given: u32,
}

/// A worker takes the task.
///
/// # Errors
/// [`Refusal::Illegal`]: it has ended.
pub fn claim(task: Claimable) -> Result<ClaimedTask, Refusal> {
    let status = allowed_transitions::task(task.status, TaskEvent::Claim)?;
    let retry_count = if task.epoch == 0 { 0 } else { task.retry_count.saturating_add(1) };
    Ok(ClaimedTask { status, epoch: task.epoch.max(task.given).saturating_add(1), retry_count })
}

/// Until when another worker holds the task: the one who asks must wait for so long. A worker takes his own lease anew.
pub fn held_by_another<T: PartialOrd>(
    status: TaskStatus,
    holder: Option<&WorkerId>,
    until: Option<T>,
    worker: &WorkerId,
    now: &T,
) -> Option<T> {
    let is_held = status == TaskStatus::Running && holder != Some(worker);
    until.filter(|until| is_held && until > now)
}

/// Whether a worker has taken the task and not ended it: what is received and not yet claimed has run nothing.
#[must_use]
pub const fn is_worked_on(status: TaskStatus) -> bool {
    matches!(status, HELD)
}

/// Whether a task's worker has let its lease end: nobody would come for it.
pub fn has_lapsed<T: PartialOrd>(status: TaskStatus, until: &T, now: &T) -> bool {
    status == TaskStatus::Running && until < now
}

/// Whether a task's row changes before its message is sent once more: one that waits for that already does not, unless
/// the message is sent for one that became a dead letter, which is counted.
#[must_use]
pub const fn is_set_back(status: TaskStatus, dead_letters: u32) -> bool {
    !matches!(status, UNSENT) || dead_letters > 0
}

/// Whether the dead letter of a task that has ended says what became of it: what ended well, or was withdrawn, leaves one
/// that means nothing.
#[must_use]
pub const fn is_told_by_its_letter(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Failed)
}

/// The message of a task is to come again: `Queued`, unless it has ended or waits already.
#[must_use]
pub fn queued_again(status: TaskStatus) -> Option<TaskStatus> {
    let event = match status {
        TaskStatus::Running => TaskEvent::Release,
        TaskStatus::Pending => TaskEvent::Queue,
        _ => return None,
    };
    allowed_transitions::task(status, event).ok()
}

/// The message of a task must be sent once more: `Pending`, where the reconciler finds it until it is sent.
#[must_use]
pub const fn unsent(status: TaskStatus) -> TaskStatus {
    match status {
        TaskStatus::Running | TaskStatus::Queued => TaskStatus::Pending,
        status => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_has_the_next_number_and_counts_those_before() {
        for status in [TaskStatus::Pending, TaskStatus::Queued, TaskStatus::Running] {
            for (epoch, retry_count, given, number, counted) in
                [(0, 0, 0, 1, 0), (2, 1, 2, 3, 2), (0, 0, 2, 3, 0), (3, 0, 3, 4, 1), (2, 1, 0, 3, 2)]
            {
                let claimed = ClaimedTask { status: TaskStatus::Running, epoch: number, retry_count: counted };
                assert_eq!(claim(Claimable { status, epoch, retry_count, given }), Ok(claimed));
            }
        }
        for status in [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled] {
            let ended = Claimable { status, epoch: 2, retry_count: 1, given: 2 };
            assert!(matches!(claim(ended), Err(Refusal::Illegal(_))));
        }
    }

    #[test]
    fn only_a_running_task_under_a_live_lease_of_another_is_held() {
        let (one, other): (WorkerId, WorkerId) = ("one".parse().unwrap(), "other".parse().unwrap());
        for (status, holder, until, wanted) in [
            (TaskStatus::Running, Some(&other), Some(11), Some(11)),
            (TaskStatus::Running, None, Some(11), Some(11)),
            (TaskStatus::Running, Some(&other), Some(10), None),
            (TaskStatus::Running, Some(&other), None, None),
            (TaskStatus::Running, Some(&one), Some(11), None),
            (TaskStatus::Queued, Some(&other), Some(11), None),
        ] {
            assert_eq!(held_by_another(status, holder, until, &one, &10), wanted, "{status} {holder:?} {until:?}");
        }
    }

    #[test]
    fn a_task_that_has_ended_comes_no_more() {
        use TaskStatus::{Cancelled, Completed, Failed, Pending, Queued, Running};
        for (status, again, sent) in [
            (Pending, Some(Queued), Pending),
            (Queued, None, Pending),
            (Running, Some(Queued), Pending),
            (Completed, None, Completed),
            (Failed, None, Failed),
            (Cancelled, None, Cancelled),
        ] {
            assert_eq!((queued_again(status), unsent(status)), (again, sent), "{status}");
            assert_eq!(is_set_back(status, 0), status != Pending, "{status}");
            assert!(is_set_back(status, 1), "{status}");
            assert_eq!(is_told_by_its_letter(status), status == Failed, "{status}");
        }
    }
}
