//! `nexusd token`, `login-link`, `keys`, `users`, `audit`: who may call, from the command line. Keys are the daemon's, which
//! is asked over its API; users and the audit are files, which need no daemon.

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{client::Daemon, complain, failed, loaded, run_to_end};
use crate::{
    auth::{
        audit::{self, Entry, Head, Writer},
        book::KeyBook,
        credential::{Credential, CredentialKind, NewCredential},
        read_admin_token,
        users::Users,
        users_file,
    },
    backend::{
        data_folder,
        store::{Nobody, Store},
    },
    config::{BackendKind, Config, Inputs},
    domain::{
        caller::{Right, Role, Scopes},
        ids::AgentId,
        secret::Secret,
        time::Timestamp,
    },
    terminal::print,
};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key; it is printed once, and kept nowhere
    Create(NewKeyArgs),
    /// Which keys there are, their last use and their end
    List,
    /// End a key at once
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
    /// Give a key a new secret; the one before is taken for a while longer
    Rotate {
        /// Its id
        id: String,
        /// Hours for which the secret before is still taken
        #[arg(long, default_value_t = 24)]
        grace_hours: u64,
    },
}

/// A new key.
#[derive(Debug, clap::Args)]
pub(super) struct NewKeyArgs {
    /// What it is for
    name: String,
    /// What it may: admin, editor, user, viewer or metrics
    #[arg(long, default_value = "editor")]
    role: Role,
    /// Whose things are its own [default: the name]
    #[arg(long, value_name = "USER")]
    user_id: Option<String>,
    /// Only this right of the role's; may be given several times
    #[arg(long = "right", value_name = "RIGHT")]
    rights: Vec<Right>,
    /// Only this agent; may be given several times
    #[arg(long = "agent", value_name = "ID")]
    agents: Vec<AgentId>,
    /// An agent of somebody else that it may talk to; may be given several times
    #[arg(long = "shared", value_name = "ID")]
    shared: Vec<AgentId>,
    /// Days after which it ends [default: it does not]
    #[arg(long, value_name = "DAYS")]
    days: Option<u64>,
    /// Write it into the store without asking a daemon: for the first key where `[auth] mode` is `keys`
    #[arg(long)]
    offline: bool,
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// Add a user, or change his role and password; the password is read from standard input
    Add {
        /// His name
        name: String,
        /// What he may: admin, editor, user or viewer
        #[arg(long, default_value = "user")]
        role: Role,
        /// An agent of somebody else that he may talk to; may be given several times
        #[arg(long = "shared", value_name = "ID")]
        shared: Vec<AgentId>,
    },
    /// Who there is
    List,
    /// Remove a user; his sessions end
    Remove {
        /// His name
        name: String,
    },
}

/// What to do with the audit.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Say whether a line was changed, put in, or taken out, and print the head
    Verify {
        /// A head that was printed before: it must be part of the chain still
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
    },
    /// Print every line
    Export,
}

pub(super) fn token(inputs: &Inputs) -> ExitCode {
    with_config(inputs, |config| {
        let path = config.data.admin_token();
        let token = read_admin_token(&path).ok_or_else(|| {
            format!(
                "{} cannot be read: the daemon makes it when it starts the first time, for its own user (see `[auth] mode`)",
                path.display()
            )
        })?;
        print(token.reveal());
        Ok(())
    })
}

fn with_config(inputs: &Inputs, act: impl FnOnce(&Config) -> Result<(), String>) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    match act(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

pub(super) fn login_link(inputs: &Inputs, daemon: &Daemon) -> ExitCode {
    let public = loaded(inputs).map(|loaded| loaded.config.server.public_base().to_owned()).unwrap_or_default();
    asked(async {
        let answer = daemon.call(Method::POST, "/auth/link", Some(&json!({}))).await?;
        let code = answer.get("code").and_then(Value::as_str).unwrap_or_default();
        let base = if public.is_empty() { daemon.url() } else { &public };
        print(&format!("{base}/#code={code}"));
        Ok(())
    })
}

fn asked(ask: impl Future<Output = Result<(), super::client::ClientError>>) -> ExitCode {
    run_to_end(async {
        match ask.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("error: {error}"));
                error.exit_code()
            }
        }
    })
}

pub(super) fn keys(inputs: &Inputs, daemon: &Daemon, as_json: bool, command: KeysCommand) -> ExitCode {
    match command {
        KeysCommand::Create(args) if args.offline => match loaded(inputs) {
            Ok(loaded) => run_to_end(async {
                match create_offline(&loaded.config, args).await {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => failed(&error),
                }
            }),
            Err(code) => code,
        },
        command => asked(async {
            match command {
                KeysCommand::Create(args) => {
                    let rights = (!args.rights.is_empty()).then_some(args.rights);
                    let agents = (!args.agents.is_empty()).then_some(args.agents);
                    let body = json!({
                        "name": args.name, "role": args.role, "user_id": args.user_id, "rights": rights,
                        "agents": agents, "shared": args.shared, "expires_days": args.days,
                    });
                    show_new(&daemon.call(Method::POST, "/keys", Some(&body)).await?, as_json);
                }
                KeysCommand::List => {
                    let listed = daemon.call(Method::GET, "/keys", None).await?;
                    if as_json { print(&pretty(&listed)) } else { print(&table(&listed)) }
                }
                KeysCommand::Revoke { id } => {
                    daemon.call(Method::DELETE, &format!("/keys/{}", super::client::escaped(&id)), None).await?;
                    complain(&format!("revoked {id}"));
                }
                KeysCommand::Rotate { id, grace_hours } => {
                    let path = format!("/keys/{}/rotate", super::client::escaped(&id));
                    let body = json!({ "grace_hours": grace_hours });
                    show_new(&daemon.call(Method::POST, &path, Some(&body)).await?, as_json);
                }
            }
            Ok(())
        }),
    }
}

/// The token alone on standard output, so that it can be put somewhere; the rest is for people.
fn show_new(made: &Value, as_json: bool) {
    if as_json {
        return print(&pretty(made));
    }
    let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    complain(&format!("key {} ({}, {}); this is shown once:", text("id"), text("name"), text("role")));
    print(&text("token"));
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn table(listed: &Value) -> String {
    let columns = ["id", "name", "role", "user_id", "expires_at", "last_used_at"];
    let cell = |row: &Value, name: &str| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => "-".to_owned(),
    };
    let mut rows = vec![columns.map(str::to_owned).to_vec()];
    rows.extend(
        listed.as_array().into_iter().flatten().map(|row| columns.iter().map(|name| cell(row, name)).collect()),
    );
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Written into the store, which must be no running daemon's unless it is one that daemons share.
async fn create_offline(config: &Config, args: NewKeyArgs) -> Result<(), String> {
    let (rights, agents) = (args.rights, args.agents);
    let scopes = Scopes {
        rights: (!rights.is_empty()).then_some(rights),
        agents: (!agents.is_empty()).then_some(agents),
        shared: args.shared,
    };
    let new = NewCredential {
        kind: CredentialKind::Key,
        user_id: args.user_id.unwrap_or_else(|| args.name.clone()),
        name: args.name,
        role: args.role,
        scopes,
        lasts: args.days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
        created_by: "command line".to_owned(),
    };
    let (credential, made) = Credential::make(new, Timestamp::now());
    let (id, role) = (credential.id.clone(), credential.role);
    let store = store_of(config).await?;
    note(config, "nexusd keys create --offline", &format!("key:{id}"))?;
    let kept = KeyBook::new(Arc::clone(&store)).add(credential).await.map_err(|error| error.to_string());
    store.close().await.map_err(|error| error.to_string())?;
    kept?;
    complain(&format!("key {id} ({role}); this is shown once:"));
    print(made.text.reveal());
    Ok(())
}

async fn store_of(config: &Config) -> Result<Arc<dyn Store>, String> {
    if config.backend.kind == BackendKind::Aws {
        return super::cloud_store(config).await;
    }
    data_folder::make_folders(&config.data).map_err(|error| error.to_string())?;
    let opened = crate::backend::open::open_file(config, Arc::new(Nobody)).await;
    Ok(opened.map_err(|error| format!("{error} (a running daemon makes keys without --offline)"))?.0)
}

/// What is done here without the daemon is in its audit, too.
fn note(config: &Config, action: &str, resource: &str) -> Result<(), String> {
    let uid = rustix::process::geteuid().as_raw();
    let entry = Entry {
        at: Timestamp::now(),
        caller: format!("uid:{uid}"),
        address: "command line".to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        outcome: "allowed".to_owned(),
        request_id: String::new(),
    };
    let written = Writer::open(&config.data.audit()).and_then(|mut writer| writer.add(&entry));
    written.map_err(|error| error.to_string())
}

pub(super) fn users(inputs: &Inputs, as_json: bool, command: UsersCommand) -> ExitCode {
    with_config(inputs, |config| {
        let users = Users::open(&users_file(config)).map_err(|error| error.to_string())?;
        match command {
            UsersCommand::Add { name, role, shared } => {
                let password = read_password()?;
                note(config, "nexusd users add", &format!("user:{name}"))?;
                users.put(&name, role, shared, &password).map_err(|error| error.to_string())?;
                complain(&format!("{name} may log in as {role}"));
            }
            UsersCommand::List => {
                let all = users.all();
                if as_json {
                    let all: Vec<Value> = all
                        .iter()
                        .map(|(name, user)| json!({ "name": name, "role": user.role, "shared": user.shared }))
                        .collect();
                    print(&pretty(&all.into()));
                } else {
                    all.iter().for_each(|(name, user)| print(&format!("{name}  {}", user.role)));
                }
            }
            UsersCommand::Remove { name } => {
                note(config, "nexusd users remove", &format!("user:{name}"))?;
                users.remove(&name).map_err(|error| error.to_string())?;
                complain(&format!("{name} may not log in any more"));
            }
        }
        Ok(())
    })
}

/// A line of standard input; on a terminal it is not shown.
fn read_password() -> Result<Secret, String> {
    let input = std::io::stdin();
    let hidden = input.is_terminal().then(|| {
        complain("password: ");
        Hidden::begin()
    });
    let mut line = String::new();
    input.lock().read_line(&mut line).map_err(|error| error.to_string())?;
    drop(hidden);
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden(Option<rustix::termios::Termios>);

impl Hidden {
    fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let Ok(before) = tcgetattr(std::io::stdin()) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet);
        Self(Some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Flush, before);
        }
    }
}

pub(super) fn audit(inputs: &Inputs, command: AuditCommand) -> ExitCode {
    with_config(inputs, |config| match command {
        AuditCommand::Verify { head } => verify(&config.data.audit(), head.as_deref()),
        AuditCommand::Export => {
            audit::verify(&config.data.audit(), print).map_err(|error| error.to_string())?;
            Ok(())
        }
    })
}

fn verify(folder: &Path, known: Option<&str>) -> Result<(), String> {
    let known = match known {
        None => None,
        Some(text) => {
            let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse::<u64>().ok()?, hash)));
            let (seq, hash) = parts.ok_or("--head: write it as it was printed, NUMBER:HASH")?;
            Some(Head { seq, hash: hash.to_owned() })
        }
    };
    let mut met = known.is_none();
    let found = audit::verify(folder, |line| {
        if let Some(known) = &known {
            let marks = [format!("{{\"seq\":{},", known.seq), format!("\"hash\":\"{}\"}}", known.hash)];
            met |= line.starts_with(&marks[0]) && line.ends_with(&marks[1]);
        }
    });
    let found = found.map_err(|error| error.to_string())?;
    if !met {
        return Err(
            "the head that was given is not part of the chain: its end was cut off, or it is another one".to_owned()
        );
    }
    if found.strays > 0 {
        complain(&format!(
            "{} lines were cut off while they were written; none is missing before or behind them",
            found.strays
        ));
    }
    print(&format!("{}:{}", found.head.seq, found.head.hash));
    Ok(())
}
