//! `nexusd plugins new NAME`: writes the crate of a plugin that builds, tests and loads as it is.
//!
//! The folder also has settings and a workflow, so that it can be tried without anything else. The templates lie beside
//! this file; the system test `words` builds, tests, loads and uses what they make.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::complain;
use crate::terminal::print;

/// Words of Rust that cannot name a crate, and crates that the plugin needs itself.
const TAKEN: [&str; 66] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "nexus-plugin-api",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "thiserror",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "build",
    "deps",
    "examples",
    "incremental",
    "union",
];
/// Shipped plugins, and what `[plugins]` of the settings means otherwise.
const OURS: [&str; 4] = ["agent-build", "deploy-local", "deploy-agentcore", "dirs"];
const LONGEST: usize = 64;

#[derive(Debug, Args)]
pub(super) struct NewPluginArgs {
    /// Name of the plugin and of its folder: lower-case letters, digits and `-`
    name: String,
    /// A deployment target instead of a stage
    #[arg(long)]
    deploy: bool,
    /// Folder of the crate nexus-plugin-api [default: that of the checkout around this program or folder]
    #[arg(long, value_name = "DIR", conflicts_with = "api_version")]
    api: Option<PathBuf>,
    /// Version of nexus-plugin-api in the registry that cargo uses
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
}

/// Why nothing was written, and what to do.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "{0:?} cannot name a plugin: a name begins with a lower-case letter, then come up to 63 lower-case letters, digits and `-`; try {1:?}"
    )]
    Form(String, String),
    #[error(
        "{0:?} means something else already (a word of Rust, a crate that plugins need, or a part of nexusd); try \"my-{0}\""
    )]
    Taken(String),
    #[error("{0}/ is there already, and nothing in it was touched; choose another name, or move it away first")]
    Exists(String),
    #[error("{0} is not the folder of nexus-plugin-api; it is `plugin-api` in a checkout of nexusd")]
    NoApi(PathBuf),
    #[error("{0:?} is no version; write it as in Cargo.toml, such as {1:?}")]
    Version(String, &'static str),
    #[error("{0} cannot be written: {1}")]
    Io(PathBuf, io::Error),
}

pub(super) fn new(args: &NewPluginArgs) -> ExitCode {
    match write(args) {
        Ok(made) => {
            print(&made.to_string());
            ExitCode::SUCCESS
        }
        Err(refused) => {
            complain(&format!("error: {refused}"));
            ExitCode::FAILURE
        }
    }
}

/// What was written, and the next steps.
struct Made {
    name: String,
    files: Vec<String>,
    unpublished: bool,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "  {}/{file}", self.name)?;
        }
        if self.unpublished {
            writeln!(
                f,
                "no checkout of nexusd was found here, so Cargo.toml asks cargo's registry for nexus-plugin-api {}; with a\ncheckout, give --api <checkout>/plugin-api",
                env!("CARGO_PKG_VERSION")
            )?;
        }
        write!(f, "next: cd {} && cargo test", self.name)
    }
}

fn write(args: &NewPluginArgs) -> Result<Made, Refused> {
    check_name(&args.name)?;
    let (dependency, unpublished) = dependency(args)?;
    let files = files(&args.name, args.deploy, &dependency);
    let root = Path::new(&args.name);
    // Making the folder is the question whether it is there: two commands at a time cannot both pass.
    fs::create_dir(root).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Refused::Exists(args.name.clone()),
        _ => Refused::Io(root.to_owned(), error),
    })?;
    if let Err(refused) = fill(root, &files) {
        // Ours alone, made a moment ago: a half of a crate helps nobody.
        let _ = fs::remove_dir_all(root);
        return Err(refused);
    }
    let files = files.into_iter().map(|(path, _)| path).collect();
    Ok(Made { name: args.name.clone(), files, unpublished })
}

fn fill(root: &Path, files: &[(String, String)]) -> Result<(), Refused> {
    for folder in ["src", "tests", "plugins"] {
        let folder = root.join(folder);
        fs::create_dir(&folder).map_err(|error| Refused::Io(folder, error))?;
    }
    for (path, text) in files {
        let path = root.join(path);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.and_then(|()| fs::write(&path, text)).map_err(|error| Refused::Io(path, error))?;
    }
    Ok(())
}

/// The daemon's rule for names of plugins, and that cargo takes it, too.
fn has_form(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    letters && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= LONGEST
}

fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name) || OURS.contains(&name)
}

fn check_name(name: &str) -> Result<(), Refused> {
    if !has_form(name) {
        return Err(Refused::Form(name.to_owned(), resembling(name)));
    }
    if is_taken(name) {
        return Err(Refused::Taken(name.to_owned()));
    }
    Ok(())
}

/// A name of the right form that resembles this one.
fn resembling(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(name).to_lowercase();
    let words: Vec<&str> = last.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined = words.join("-");
    let name = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name: String = name.chars().take(LONGEST).collect();
    if has_form(&name) && !is_taken(&name) { name } else { "my-plugin".to_owned() }
}

/// How Cargo.toml names nexus-plugin-api; whether by a version that nobody asked for.
fn dependency(args: &NewPluginArgs) -> Result<(String, bool), Refused> {
    if let Some(version) = &args.api_version {
        let number = version.trim_start_matches(['^', '~', '=']);
        let plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
        if !plain || !number.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Refused::Version(version.clone(), env!("CARGO_PKG_VERSION")));
        }
        return Ok((quoted(version), false));
    }
    let folder = match &args.api {
        Some(folder) if is_api(folder) => Some(folder.clone()),
        Some(folder) => return Err(Refused::NoApi(folder.clone())),
        None => checkout(),
    };
    match folder {
        Some(folder) => {
            let folder = fs::canonicalize(&folder).map_err(|error| Refused::Io(folder, error))?;
            Ok((format!("{{ path = {} }}", quoted(&folder.display().to_string())), false))
        }
        None => Ok((quoted(env!("CARGO_PKG_VERSION")), true)),
    }
}

/// `plugin-api` of the checkout in which this program was built, or in which it is called.
fn checkout() -> Option<PathBuf> {
    let places = [std::env::current_exe(), std::env::current_dir()];
    let places: Vec<PathBuf> = places.into_iter().flatten().collect();
    let mut folders = places.iter().flat_map(|place| place.ancestors()).map(|folder| folder.join("plugin-api"));
    folders.find(|folder| is_api(folder))
}

fn is_api(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"nexus-plugin-api\""))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Every file of the crate, with its place.
fn files(name: &str, deploy: bool, dependency: &str) -> Vec<(String, String)> {
    let krate = name.replace('-', "_");
    // The end keeps it apart from what the templates name, whatever the plugin is called.
    let kind = name.split('-').filter_map(capitalised).collect::<String>() + "Plugin";
    let (code, test) = if deploy {
        (include_str!("scaffold/deploy.rs.template"), include_str!("scaffold/deploy_test.rs.template"))
    } else {
        (include_str!("scaffold/stage.rs.template"), include_str!("scaffold/stage_test.rs.template"))
    };
    let (settings, usage) = if deploy {
        (
            format!("\n[deploy.targets]\n{name} = \"{name}/target\""),
            format!(
                "Agents go to it when their\nproject says `\"deployment\": \"{name}\"`, or all with `[deploy] default = \"{name}\"`."
            ),
        )
    } else {
        (
            "\n[workflows]\ndirs = [\"workflows\"]".to_owned(),
            format!(
                "Projects run it when they say\n`\"workflow\": \"{krate}\"`: `nexusd new \"Greet the world\" --workflow {krate}`."
            ),
        )
    };
    let filled = |template: &str| {
        let pairs = [
            ("{{name}}", name),
            ("{{crate}}", &krate),
            ("{{Type}}", &kind),
            ("{{dependency}}", dependency),
            ("{{settings}}", &settings),
            ("{{use}}", &usage),
        ];
        pairs.iter().fold(template.to_owned(), |text, (place, value)| text.replace(place, value))
    };
    let mut files = vec![
        ("Cargo.toml".to_owned(), filled(include_str!("scaffold/Cargo.toml.template"))),
        ("README.md".to_owned(), filled(include_str!("scaffold/README.md.template"))),
        ("nexusd.toml".to_owned(), filled(include_str!("scaffold/nexusd.toml.template"))),
        ("src/lib.rs".to_owned(), filled(code)),
        (format!("tests/{krate}.rs"), filled(test)),
        (".gitignore".to_owned(), "/target\n/plugins\n".to_owned()),
    ];
    if !deploy {
        files.push((format!("workflows/{krate}.toml"), filled(include_str!("scaffold/stage.toml.template"))));
    }
    files
}

fn capitalised(word: &str) -> Option<String> {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_are_refused_with_one_that_can() {
        for (name, instead) in [
            ("Hello World", "hello-world"),
            ("hello_world", "hello-world"),
            ("../x/evil", "evil"),
            ("1st", "st"),
            ("", "my-plugin"),
            ("-", "my-plugin"),
            ("Ü", "my-plugin"),
            ("SELF", "my-plugin"),
            (&"a".repeat(65), &"a".repeat(64)),
        ] {
            match check_name(name) {
                Err(Refused::Form(_, suggested)) => assert_eq!(suggested, instead, "{name:?}"),
                other => panic!("{name:?}: {other:?}"),
            }
        }
        for name in ["serde-json", "deploy-local", "dirs", "self", "test"] {
            assert!(matches!(check_name(name), Err(Refused::Taken(_))), "{name}");
        }
        for name in ["a", "hello", "a-1", &"a".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}
