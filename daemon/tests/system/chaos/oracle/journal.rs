//! The journal that the stages themselves write: no stage runs twice at once, and none again without a reason.
//!
//! Its lines are in the order in which things happened, whatever the clocks said: `project stage attempt begins|ends ms
//! pid`, and from the faults `gone|stop|cont|full|room pid`.

use std::collections::{HashMap, HashSet};

use super::World;

#[derive(Default)]
struct Runs {
    /// Runs that have begun and not ended: attempt and process.
    open: Vec<(u32, u32)>,
    /// Attempt and process of the last that began.
    last: Option<(u32, u32)>,
}

pub(super) fn judge(world: &World) {
    let text = std::fs::read_to_string(&world.journal).unwrap_or_default();
    let mut stages: HashMap<(&str, &str), Runs> = HashMap::new();
    let (mut stopped, mut full) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [what, pid] => {
                let Ok(pid) = pid.parse::<u32>() else { continue };
                match *what {
                    // Nothing of it runs any more; or it may find out late that its leases are gone.
                    "gone" | "stop" => stages.values_mut().for_each(|runs| runs.open.retain(|(_, of)| *of != pid)),
                    "full" => drop(full.insert(pid)),
                    "room" => drop(full.remove(&pid)),
                    _ => {}
                }
                if *what == "stop" {
                    stopped.insert(pid);
                }
            }
            [project, stage, attempt, what, _, pid] => {
                let (Ok(attempt), Ok(pid)) = (attempt.parse::<u32>(), pid.parse::<u32>()) else { continue };
                let runs = stages.entry((project, stage)).or_default();
                if *what == "ends" {
                    runs.open.retain(|run| *run != (attempt, pid));
                    continue;
                }
                let other = runs.open.first().copied();
                world.ledger.check(other.is_none(), &[project], || {
                    format!("stage {stage} begins (attempt {attempt}, process {pid}) while it runs: {other:?}")
                });
                let again = runs.last.filter(|(before, of)| *of == pid && *before < attempt);
                let restarts = world.ledger.project(project, |project| project.restarts);
                let excused = world.is_cloud() || restarts > 0 || full.contains(&pid);
                world.ledger.check(again.is_none() || excused, &[project], || {
                    let was = if stopped.contains(&pid) { ", which was stopped for a while" } else { "" };
                    format!("stage {stage} runs again (attempt {attempt}) in the same process{was}: {again:?}")
                });
                runs.open.push((attempt, pid));
                runs.last = Some((attempt, pid));
            }
            _ => world.ledger.violation(format!("the journal says {line:?}"), &[]),
        }
    }
}
