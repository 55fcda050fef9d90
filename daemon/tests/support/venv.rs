//! Python tools from the package index, in a virtual environment below `target/` that the first test makes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of programs of the environment for `tests/fuzz/requirements.txt`.
pub fn bin() -> PathBuf {
    bin_for("fuzz", "test-venv")
}

/// The folder of programs of the environment for `tests/<folder>/requirements.txt`, kept as `target/<name>`.
///
/// # Panics
/// When Python has no `venv`, or the packages cannot be had: says what is missing.
pub fn bin_for(folder: &str, name: &str) -> PathBuf {
    let requirements = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder).join("requirements.txt");
    made(&requirements, super::plugin_dir().parent().expect("the target folder").join(name))
}

/// The interpreter with the packages of agents of a model; the tests of `deploy-local` use the same.
pub fn strands() -> PathBuf {
    let requirements = "../plugins/deploy-local/tests/local/strands/requirements.txt";
    let requirements = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(requirements);
    made(&requirements, PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("strands-venv")).join("python")
}

fn made(requirements: &Path, home: PathBuf) -> PathBuf {
    let wanted = fs::read_to_string(requirements).expect("the list of packages");
    // Tests may run side by side, in processes of their own.
    let mark = home.join("installed.txt");
    let lock = fs::File::create(home.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return home.join("bin");
    }
    let _ = fs::remove_dir_all(&home);
    let run = |command: &mut Command, hint: &str| {
        let output = command.output().unwrap_or_else(|error| panic!("{hint}: {error}"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{hint}:\n{text}");
    };
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&home),
        "a virtual environment is needed: install python3 with its venv module (Debian: python3-venv)",
    );
    run(
        Command::new(home.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
        &format!("the packages of {} are needed: is the package index reachable?", requirements.display()),
    );
    fs::write(mark, wanted).expect("the mark");
    home.join("bin")
}
