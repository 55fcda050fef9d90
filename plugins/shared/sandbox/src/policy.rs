//! What a confined process may do: the words of callers ([`Sandbox`](crate::Sandbox)) as they travel to the
//! hidden stage.

use serde::{Deserialize, Serialize};

/// What kind of code is confined. It decides which system calls exist for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// One call of a tool: no processes, no network, threads only.
    Tool,
    /// Tests and other programs that run to their end: processes, no network.
    Test,
    /// An agent that serves: processes, and TCP on the ports that it was given.
    Agent,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Test, Self::Agent];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Test => "test",
            Self::Agent => "agent",
        }
    }
}

/// How much of the machine. `None` leaves what the daemon itself has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, of each process and of all together.
    pub memory: Option<u64>,
    /// Bytes of address space of each process; for code that needs no large reservations.
    pub address_space: Option<u64>,
    /// Seconds of CPU time of each process.
    pub cpu_seconds: Option<u64>,
    /// Hundredths of a CPU for all together, where a control group is delegated.
    pub cpu_percent: Option<u64>,
    /// Size of one file that is written.
    pub file_bytes: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Processes and threads of all together.
    pub processes: Option<u64>,
    /// Processes and threads of the user as a whole (`RLIMIT_NPROC`): what a fork bomb hits first. It does not hold root.
    pub user_processes: Option<u64>,
    /// Bytes that the written folders may hold together.
    pub disk_bytes: Option<u64>,
    /// Files and folders that the written folders may hold together.
    pub disk_files: Option<u64>,
    /// Added to the niceness, from 0 to 19.
    pub nice: u8,
}

/// How the walls are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Landlock and seccomp, in the machine's own view of files and processes.
    #[default]
    Landlock,
    /// The same inside namespaces that bubblewrap makes: other processes and foreign folders do not even appear.
    Bwrap,
}

/// All that the hidden stage is told. Texts are UTF-8; what is not is refused before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) profile: Profile,
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) folder: String,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
    pub(crate) connect: Vec<u16>,
    pub(crate) bind: Vec<u16>,
    /// A unix socket that the stage binds and hands over, listening, as descriptor 3.
    pub(crate) socket: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) allow_weaker: bool,
    /// No newer Landlock than this is used, so that older kernels can be tried out.
    pub(crate) landlock_at_most: Option<u32>,
    /// The control group that was made for this tree.
    pub(crate) group: Option<String>,
    /// The program `bwrap`, when namespaces are wanted.
    pub(crate) bwrap: Option<String>,
}

/// What the stage tells, one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// The program runs.
    Started { pid: i32, guards: Vec<String>, weaker: Vec<String> },
    /// It could not be started.
    Failed(Fault),
    /// It and everything that it started are gone.
    Ended {
        /// As `waitpid` gives it.
        status: i32,
        breach: Option<Breach>,
        /// How many processes it left behind, which were ended.
        left: u32,
    },
}

/// Why a process was not started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// What was being done.
    pub(crate) step: Step,
    /// What the system said.
    pub(crate) message: String,
    /// `errno`, when there is one.
    pub(crate) code: Option<i32>,
}

/// What the stage does before the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Policy,
    Socket,
    Folder,
    Limits,
    Group,
    Privileges,
    /// A wall is missing that must not be.
    Walls,
    Files,
    Calls,
    Namespaces,
    Program,
    Fork,
}

impl Step {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Policy => "reading what it may do",
            Self::Socket => "making its socket",
            Self::Folder => "entering its folder",
            Self::Limits => "setting its limits",
            Self::Group => "entering its control group",
            Self::Privileges => "giving up privileges",
            Self::Walls => "looking for the kernel's walls",
            Self::Files => "restricting files and ports (Landlock)",
            Self::Calls => "restricting system calls (seccomp)",
            Self::Namespaces => "making namespaces (bubblewrap)",
            Self::Program => "running the program",
            Self::Fork => "making its process",
        }
    }
}

/// A limit of the whole tree that was passed; the tree was ended for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// More memory than `limits.memory`.
    Memory,
    /// More processes and threads than `limits.processes`.
    Processes,
    /// More bytes or files than `limits.disk_bytes`, `limits.disk_files`.
    Disk,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "it used more memory than it may",
            Self::Processes => "it started more processes than it may",
            Self::Disk => "it wrote more than it may",
        })
    }
}
