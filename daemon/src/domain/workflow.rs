//! Workflows: stages and what each needs, checked once, asked often.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::Value;

use super::stage::StageStatus;

/// One stage of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// Unique within the workflow: `[a-z][a-z0-9_]{0,63}`.
    pub name: String,
    /// For people, in Chinese.
    pub display_name: String,
    /// For people, in English.
    pub display_name_en: String,
    pub handler: String,
    /// Names of the stages that must be completed or skipped before.
    pub prerequisites: Vec<String>,
    /// Whether the build goes on (stage `skipped`) when this one fails for good.
    pub optional: bool,
    /// Limit of one attempt.
    pub timeout: Duration,
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Other names that requests may use.
    pub aliases: Vec<String>,
    /// Handed to the handler as it is.
    pub options: Value,
}

/// A workflow as read, before it is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowSpec {
    /// Unique among the workflows.
    pub name: String,
    pub description: String,
    /// In the order in which they are shown.
    pub stages: Vec<StageSpec>,
    /// Delay before the first retry; doubles with each further one.
    pub retry_base_delay: Duration,
    /// Limit of the whole build, pauses not counted.
    pub total_timeout: Duration,
}

/// A fault of a workflow. `stage` is the index of the stage at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    #[error("workflow {workflow:?} has no stages: add at least one [[stages]] table")]
    Empty { workflow: String },
    /// A name that cannot be one.
    #[error("stage name {name:?} is not allowed: use a lower-case letter, then up to 63 letters, digits or '_'")]
    BadName {
        /// Index of the stage.
        stage: usize,
        name: String,
    },
    /// A name or alias used twice.
    #[error("stage {name:?} is defined twice (first as stage number {first})")]
    Duplicate {
        /// Index of the second.
        stage: usize,
        name: String,
        /// Place of the first, from 1.
        first: usize,
    },
    /// A prerequisite that does not exist.
    #[error("stage {name:?} needs {prerequisite:?}, which this workflow does not have{}", suggest(.suggestion))]
    UnknownPrerequisite {
        /// Index of the stage.
        stage: usize,
        name: String,
        /// What it asks for.
        prerequisite: String,
        /// The nearest name, when there is one.
        suggestion: Option<String>,
    },
    /// Stages that wait for each other.
    #[error("stages wait for each other: {}", .path.join(" -> "))]
    Cycle {
        /// Index of the first stage of the path.
        stage: usize,
        /// The way round, first name repeated at the end.
        path: Vec<String>,
    },
}

impl WorkflowError {
    /// Index of the stage at fault, if one is.
    pub const fn stage(&self) -> Option<usize> {
        match self {
            Self::Empty { .. } => None,
            Self::BadName { stage, .. }
            | Self::Duplicate { stage, .. }
            | Self::UnknownPrerequisite { stage, .. }
            | Self::Cycle { stage, .. } => Some(*stage),
        }
    }
}

fn suggest(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|s| format!(": did you mean {s:?}?")).unwrap_or_default()
}

/// A checked workflow: names are unique, prerequisites exist, nothing waits for itself.
#[derive(Clone, Debug)]
pub struct Workflow {
    spec: WorkflowSpec,
    /// Per stage: indices of its prerequisites.
    needs: Vec<Vec<usize>>,
    /// Names and aliases to index.
    by_name: HashMap<String, usize>,
}

impl Workflow {
    /// Checks `spec` and reports every fault found.
    ///
    /// # Errors
    /// All faults, in the order of the stages; a cycle only when there is no other fault.
    pub fn build(spec: WorkflowSpec) -> Result<Self, Vec<WorkflowError>> {
        let mut errors = Vec::new();
        if spec.stages.is_empty() {
            return Err(vec![WorkflowError::Empty { workflow: spec.name }]);
        }
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (index, stage) in spec.stages.iter().enumerate() {
            for name in std::iter::once(&stage.name).chain(&stage.aliases) {
                if !is_name(name) {
                    errors.push(WorkflowError::BadName { stage: index, name: name.clone() });
                }
                if let Some(first) = by_name.get(name) {
                    errors.push(WorkflowError::Duplicate { stage: index, name: name.clone(), first: first + 1 });
                } else {
                    by_name.insert(name.clone(), index);
                }
            }
        }
        let mut needs = Vec::with_capacity(spec.stages.len());
        for (index, stage) in spec.stages.iter().enumerate() {
            let mut mine = Vec::with_capacity(stage.prerequisites.len());
            for prerequisite in &stage.prerequisites {
                match by_name.get(prerequisite) {
                    Some(found) => mine.push(*found),
                    None => errors.push(WorkflowError::UnknownPrerequisite {
                        stage: index,
                        name: stage.name.clone(),
                        prerequisite: prerequisite.clone(),
                        suggestion: nearest(prerequisite, by_name.keys()),
                    }),
                }
            }
            needs.push(mine);
        }
        if errors.is_empty()
            && let Some(cycle) = find_cycle(&spec, &needs)
        {
            errors.push(cycle);
        }
        if errors.is_empty() { Ok(Self { spec, needs, by_name }) } else { Err(errors) }
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// All it was made from.
    pub const fn spec(&self) -> &WorkflowSpec {
        &self.spec
    }

    /// The stages, in the order in which they are shown.
    pub fn stages(&self) -> &[StageSpec] {
        &self.spec.stages
    }

    /// The index of a stage by its name or an alias.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Stages that are pending (or were cut off while running) and whose prerequisites are satisfied.
    /// `statuses` has one entry per stage.
    pub fn ready(&self, statuses: &[StageStatus]) -> Vec<usize> {
        let satisfied = |i: &usize| statuses.get(*i).is_some_and(|s| s.is_satisfied());
        self.needs
            .iter()
            .enumerate()
            .filter(|(i, needs)| statuses.get(*i) == Some(&StageStatus::Pending) && needs.iter().all(satisfied))
            .map(|(i, _)| i)
            .collect()
    }

    /// All stages that `index` depends on, directly or not.
    pub fn ancestors(&self, index: usize) -> Vec<usize> {
        self.reach(index, |i| self.needs.get(i).cloned().unwrap_or_default())
    }

    /// `index` and all stages that depend on it, directly or not: what a restart resets.
    pub fn with_dependents(&self, index: usize) -> Vec<usize> {
        let dependents = |i: usize| {
            let needs_i = |(j, needs): (usize, &Vec<usize>)| needs.contains(&i).then_some(j);
            self.needs.iter().enumerate().filter_map(needs_i).collect()
        };
        let mut all = self.reach(index, dependents);
        all.push(index);
        all.sort_unstable();
        all
    }

    fn reach(&self, from: usize, next: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
        let mut seen = vec![false; self.needs.len()];
        let mut open = next(from);
        let mut found = Vec::new();
        while let Some(i) = open.pop() {
            if let Some(flag) = seen.get_mut(i)
                && !*flag
            {
                *flag = true;
                found.push(i);
                open.extend(next(i));
            }
        }
        found.sort_unstable();
        found
    }
}

/// The workflows of a daemon, by name.
#[derive(Clone, Debug, Default)]
pub struct Workflows {
    by_name: HashMap<String, Arc<Workflow>>,
}

impl Workflows {
    pub fn insert(&mut self, workflow: Workflow) {
        self.by_name.insert(workflow.name().to_owned(), Arc::new(workflow));
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Workflow>> {
        self.by_name.get(name)
    }

    pub fn all(&self) -> Vec<&Arc<Workflow>> {
        let mut all: Vec<_> = self.by_name.values().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && name.len() <= 64
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a String>) -> Option<String> {
    names
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

/// Follows first unvisited prerequisites depth first; a stage met again on its own path is a cycle.
fn find_cycle(spec: &WorkflowSpec, needs: &[Vec<usize>]) -> Option<WorkflowError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    fn visit(i: usize, needs: &[Vec<usize>], marks: &mut [Mark], path: &mut Vec<usize>) -> bool {
        match marks.get(i) {
            Some(Mark::OnPath) => {
                path.push(i);
                return true;
            }
            Some(Mark::New) => {}
            _ => return false,
        }
        if let Some(mark) = marks.get_mut(i) {
            *mark = Mark::OnPath;
        }
        path.push(i);
        for next in needs.get(i).into_iter().flatten() {
            if visit(*next, needs, marks, path) {
                return true;
            }
        }
        path.pop();
        if let Some(mark) = marks.get_mut(i) {
            *mark = Mark::Done;
        }
        false
    }
    let mut marks = vec![Mark::New; needs.len()];
    for start in 0..needs.len() {
        let mut path = Vec::new();
        if visit(start, needs, &mut marks, &mut path) {
            let last = path.last().copied()?;
            let begin = path.iter().position(|i| *i == last)?;
            let name = |i: &usize| spec.stages.get(*i).map(|s| s.name.clone());
            let way: Vec<String> = path.get(begin..)?.iter().filter_map(name).collect();
            return Some(WorkflowError::Cycle { stage: last, path: way });
        }
    }
    None
}

#[cfg(test)]
#[path = "workflow_tests.rs"]
pub(crate) mod tests;
