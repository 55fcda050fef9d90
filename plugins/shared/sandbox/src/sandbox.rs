//! What a caller says: which program, and what it may reach.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    SandboxError,
    confined::Confined,
    host,
    policy::{Limits, Mode, Policy, Profile},
    walls,
};

/// A program and its walls. What is not named it does not get: no environment, no files but the system's libraries,
/// no network, no descriptors.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What kind of code it is.
    pub profile: Profile,
    /// Its path. See [`Interpreter`](crate::Interpreter) for Python's.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The folder that it starts in; it is among what may be read.
    pub folder: PathBuf,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Files and folders with all below them that it may read, beside the system's libraries.
    pub reads: Vec<PathBuf>,
    /// Folders that it may change. Nothing in them can be executed.
    pub writes: Vec<PathBuf>,
    /// TCP ports that it may connect to, on any address.
    pub connect: Vec<u16>,
    /// TCP ports that it may listen on; 0 is any free one.
    pub bind: Vec<u16>,
    /// A unix socket that is made for it and handed over, listening, as descriptor 3. It can make none itself.
    pub socket: Option<PathBuf>,
    /// How much of the machine.
    pub limits: Limits,
    /// How its standard streams are connected.
    pub stdio: Stdio,
    /// How the walls are built; `None`: as the operator decided ([`settings`](crate::settings)).
    pub mode: Option<Mode>,
    /// Whether it is started without the walls that this kernel lacks; `None`: as the operator decided. They are
    /// named in [`Confined::weaker`](crate::Confined::weaker).
    pub allow_weaker: Option<bool>,
    /// No newer Landlock than this version is used, as on an older kernel.
    pub landlock_at_most: Option<u32>,
}

/// The standard streams of a confined process. Its input is always empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// Output and errors are read by the owner.
    #[default]
    Piped,
    /// Nobody reads what it writes.
    Null,
}

impl Sandbox {
    /// A program that reaches nothing but the system's libraries and, to read, its own folder.
    #[must_use]
    pub fn new(profile: Profile, program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            profile,
            program: program.into(),
            arguments: Vec::new(),
            folder: folder.into(),
            environment: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            connect: Vec::new(),
            bind: Vec::new(),
            socket: None,
            limits: Limits::default(),
            stdio: Stdio::default(),
            mode: None,
            allow_weaker: None,
            landlock_at_most: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts it behind its walls, or not at all. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When a wall is missing and that is not allowed, and whatever keeps a program from being started.
    pub async fn spawn(&self) -> Result<Confined, SandboxError> {
        Confined::start(self.policy()?, self.stdio).await
    }

    pub(crate) fn policy(&self) -> Result<Policy, SandboxError> {
        let decided = host::settings();
        let bwrap = match self.mode.unwrap_or(decided.mode) {
            Mode::Landlock => None,
            Mode::Bwrap => Some(path("bwrap", &walls::bubblewrap().ok_or(SandboxError::NoBubblewrap)?)?),
        };
        let mut environment = Vec::with_capacity(self.environment.len());
        for (name, value) in &self.environment {
            let name = text("the variable", name)?;
            if name.is_empty() || name.contains('=') {
                return Err(refused("the variable", name, "is no name"));
            }
            environment.push((name, text("the variable's value", value)?));
        }
        let mut reads = paths("the readable path", &self.reads)?;
        reads.push(path("the folder", &self.folder)?);
        let policy = Policy {
            profile: self.profile,
            program: path("the program", &self.program)?,
            arguments: self.arguments.iter().map(|a| text("the argument", a)).collect::<Result<_, _>>()?,
            folder: path("the folder", &self.folder)?,
            environment,
            reads,
            writes: paths("the writable folder", &self.writes)?,
            connect: self.connect.clone(),
            bind: self.bind.clone(),
            socket: self.socket.as_deref().map(|socket| path("the socket", socket)).transpose()?,
            limits: self.limits,
            allow_weaker: self.allow_weaker.unwrap_or(decided.allow_weaker),
            landlock_at_most: self.landlock_at_most,
            group: None,
            bwrap,
        };
        let network = !(policy.connect.is_empty() && policy.bind.is_empty() && policy.socket.is_none());
        if network && policy.profile != Profile::Agent {
            return Err(refused("the profile", policy.profile.word(), "has no network"));
        }
        Ok(policy)
    }
}

fn paths(what: &'static str, given: &[PathBuf]) -> Result<Vec<String>, SandboxError> {
    given.iter().map(|given| path(what, given)).collect()
}

fn path(what: &'static str, given: &Path) -> Result<String, SandboxError> {
    // The keeper works in another folder.
    let given = std::path::absolute(given).map_err(|_| refused(what, given, "is no path"))?;
    // All the machine is no wall.
    if given.parent().is_none() {
        return Err(refused(what, given, "is the whole file system"));
    }
    text(what, given.as_os_str())
}

fn text(what: &'static str, given: &std::ffi::OsStr) -> Result<String, SandboxError> {
    match given.to_str() {
        Some(text) if !text.contains('\0') => Ok(text.to_owned()),
        Some(_) => Err(refused(what, given, "holds a NUL")),
        None => Err(refused(what, given, "is not UTF-8")),
    }
}

fn refused(what: &'static str, value: impl Into<PathBuf>, why: &'static str) -> SandboxError {
    SandboxError::Policy { what, value: value.into(), why }
}
