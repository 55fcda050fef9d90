use nexus_plugin_api::payload::{AgentRef, Failure};
use tokio::sync::oneshot;

use super::{Code, Lease};

/// Who waits for a running agent.
pub(crate) type Waiter = oneshot::Sender<Result<Lease, Failure>>;

/// What a keeper is told. Each is answered once it is done.
pub(crate) enum Command {
    /// Start anew, with the folder as it is now; replaces what runs.
    Deploy { agent: Box<AgentRef>, code: Code, waiter: Waiter },
    /// Be running, with the code as it is now. Answers that are being given end with the code they began with.
    Acquire { agent: Box<AgentRef>, code: Code, waiter: Waiter },
    /// The process of this generation does not answer any more: end it.
    Unresponsive { generation: u64 },
    /// Another agent needs the place; says whether it was given up.
    Rest { reply: oneshot::Sender<bool> },
    /// Stop and remove what was written; the keeper ends.
    Remove { agent: Box<AgentRef>, reply: oneshot::Sender<()> },
    /// Stop; the keeper ends.
    ShutDown { reply: oneshot::Sender<()> },
}
