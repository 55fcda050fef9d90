//! A task on its way through the queue and its workers: the same for builds and deployments.

use super::Refusal;
use crate::domain::{
    ids::WorkerId,
    task::TaskStatus,
    transition::{self, TaskEvent},
};

/// What a worker's claim makes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedTask {
    pub status: TaskStatus,
    /// Number of the lease.
    pub epoch: u32,
    /// Claims before this one.
    pub retry_count: u32,
}

/// A worker takes the task; `epoch` is the number of the claim before, or 0.
///
/// # Errors
/// [`Refusal::Illegal`]: it has ended.
pub fn claim(status: TaskStatus, epoch: u32) -> Result<ClaimedTask, Refusal> {
    let status = transition::task(status, TaskEvent::Claim)?;
    Ok(ClaimedTask { status, epoch: epoch + 1, retry_count: epoch })
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

/// Whether a task's worker has let its lease end: nobody would come for it.
pub fn has_lapsed<T: PartialOrd>(status: TaskStatus, until: &T, now: &T) -> bool {
    status == TaskStatus::Running && until < now
}

/// The message of a task is to come again: `Queued`, unless it has ended or waits already.
#[must_use]
pub fn queued_again(status: TaskStatus) -> Option<TaskStatus> {
    let event = match status {
        TaskStatus::Running => TaskEvent::Release,
        TaskStatus::Pending => TaskEvent::Queue,
        _ => return None,
    };
    transition::task(status, event).ok()
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
            let claimed = ClaimedTask { status: TaskStatus::Running, epoch: 3, retry_count: 2 };
            assert_eq!(claim(status, 2), Ok(claimed));
        }
        for status in [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled] {
            assert!(matches!(claim(status, 2), Err(Refusal::Illegal(_))));
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
        }
    }
}
