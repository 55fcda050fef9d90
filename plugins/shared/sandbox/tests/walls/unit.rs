//! The walls under the filter of system calls that the shipped systemd unit puts around the daemon.

use std::process::Command;

use crate::bench::as_ordinary_user;

const UNIT: &str = include_str!("../../../../../systemd/nexusd.service");
const UNDER_FILTER: &str = include_str!("attacks/under_filter.py");
/// What has to hold there as anywhere.
const TESTS: [&str; 12] = [
    "attacks::attacks_in_c_are_refused",
    "attacks::their_siblings_are_refused",
    "attacks::attacks_in_python_are_refused",
    "hidden::who_lost_the_first_thread_is_counted_and_ended",
    "attacks::attacks_by_an_agent_with_ports_are_refused",
    "bounds::memory_of_one_process_is_bounded",
    "bounds::one_file_is_bounded",
    "bounds::time_of_the_cpu_is_bounded",
    "bounds::what_is_left_counts_after_the_end",
    "bounds::nothing_is_left_behind",
    "life::what_is_allowed_works_in_every_profile",
    "life::tests_and_agents_start_programs",
];

fn under(unit: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let (unit_file, script) = (folder.path().join("nexusd.service"), folder.path().join("under_filter.py"));
    std::fs::write(&unit_file, unit).unwrap();
    std::fs::write(&script, UNDER_FILTER).unwrap();
    let output = Command::new("python3")
        .arg(&script)
        .arg(&unit_file)
        .arg(std::env::current_exe().unwrap())
        .arg("--exact")
        .args(TESTS)
        .output()
        .expect("this test needs `python3`, `systemd-analyze` and libseccomp.so.2");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success() && text.contains(&format!("{} passed", TESTS.len())), text)
}

#[test]
fn the_walls_stand_under_the_units_filter() {
    if !as_ordinary_user("unit::the_walls_stand_under_the_units_filter") {
        return;
    }
    let (passed, text) = under(UNIT);
    assert!(passed, "{text}");
}

/// The unit as it was before: no wall can be built under it, and nothing runs without.
#[test]
fn without_its_lines_nothing_is_started() {
    if !as_ordinary_user("unit::without_its_lines_nothing_is_started") {
        return;
    }
    let kept: Vec<&str> = UNIT.lines().filter(|line| !line.contains("landlock_create_ruleset")).collect();
    assert_eq!(kept.len() + 1, UNIT.lines().count());
    let (passed, text) = under(&kept.join("\n"));
    assert!(!passed && text.contains("Weak"), "{text}");
}
