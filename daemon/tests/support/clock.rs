//! A wall clock that a test can set, for the daemons of one home.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::Home;

static SHIM: OnceLock<PathBuf> = OnceLock::new();

/// The clock of a home's daemons.
pub struct Clock(PathBuf);

impl Clock {
    /// Has the daemons that a home starts from now on read this clock, which goes right until it is set.
    pub fn of(home: &mut Home) -> Self {
        let clock = Self(home.path().join("clock"));
        clock.set(0);
        home.set("LD_PRELOAD", &shim().display().to_string());
        home.set("NEXUS_TEST_CLOCK", &clock.0.display().to_string());
        clock
    }

    /// It goes wrong by so many seconds from now on, also for daemons that run.
    pub fn set(&self, seconds: i64) {
        use std::io::Write as _;
        // Never cut short: running daemons have it mapped.
        let file = fs::OpenOptions::new().create(true).write(true).truncate(false).open(&self.0);
        file.expect("the clock's file").write_all(&seconds.to_ne_bytes()).expect("the clock is set");
    }
}

/// The library that has a process read another clock, compiled once for this test binary.
fn shim() -> &'static Path {
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clock.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clock-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .output()
            .expect("a C compiler (`cc`) is needed to make the test's clock");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    })
}
