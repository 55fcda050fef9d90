use proptest::prelude::*;

use super::*;

/// A stage as tests need it.
pub(crate) fn stage(name: &str, needs: &[&str]) -> StageSpec {
    StageSpec {
        name: name.into(),
        display_name: name.into(),
        display_name_en: name.into(),
        handler: format!("p/{name}"),
        prerequisites: needs.iter().map(ToString::to_string).collect(),
        optional: false,
        timeout: Duration::from_secs(1),
        max_retries: 0,
        aliases: Vec::new(),
        options: Value::Null,
    }
}

/// A workflow of these.
pub(crate) fn spec(stages: Vec<StageSpec>) -> WorkflowSpec {
    WorkflowSpec {
        name: "w".into(),
        description: String::new(),
        stages,
        retry_base_delay: Duration::from_secs(1),
        total_timeout: Duration::from_secs(1),
    }
}

#[test]
fn a_diamond_runs_its_middle_side_by_side() {
    let w =
        Workflow::build(spec(vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["a"]), stage("d", &["b", "c"])]))
            .unwrap();
    use StageStatus::{Completed, Pending, Running, Skipped};
    assert_eq!(w.ready(&[Pending; 4]), [0]);
    assert_eq!(w.ready(&[Completed, Pending, Pending, Pending]), [1, 2]);
    assert_eq!(w.ready(&[Completed, Running, Completed, Pending]), [0usize; 0]);
    assert_eq!(w.ready(&[Completed, Skipped, Completed, Pending]), [3]);
    assert_eq!(w.with_dependents(1), [1, 3]);
    assert_eq!(w.ancestors(3), [0, 1, 2]);
}

#[test]
fn faults_are_all_reported_with_their_stage() {
    let errors =
        Workflow::build(spec(vec![stage("first", &["frist"]), stage("Bad", &[]), stage("first", &[])])).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    stage name "Bad" is not allowed: use a lower-case letter, then up to 63 letters, digits or '_'
    stage "first" is defined twice (first as stage number 1)
    stage "first" needs "frist", which this workflow does not have: did you mean "first"?
    "#);
}

#[test]
fn a_cycle_is_shown_as_a_path() {
    let errors = Workflow::build(spec(vec![stage("a", &[]), stage("b", &["c"]), stage("c", &["a", "b"])])).unwrap_err();
    assert_eq!(errors, [WorkflowError::Cycle { stage: 1, path: vec!["b".into(), "c".into(), "b".into()] }]);
}

proptest! {
    /// Any workflow whose edges point backwards is accepted, and doing what is ready until nothing is
    /// does every stage exactly once and never before its prerequisites.
    #[test]
    fn every_acyclic_workflow_runs_to_its_end(edges in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..4), 1..12)) {
        let stages: Vec<StageSpec> = edges.iter().enumerate().map(|(i, needs)| {
            let names: Vec<String> = if i == 0 { vec![] } else { needs.iter().map(|n| format!("s{}", n.index(i))).collect() };
            stage(&format!("s{i}"), &names.iter().map(String::as_str).collect::<Vec<_>>())
        }).collect();
        let count = stages.len();
        let w = Workflow::build(spec(stages)).unwrap();
        let mut statuses = vec![StageStatus::Pending; count];
        let mut done = 0;
        loop {
            let ready = w.ready(&statuses);
            let Some(first) = ready.first() else { break };
            for needed in w.ancestors(*first) {
                prop_assert!(statuses[needed].is_satisfied());
            }
            statuses[*first] = StageStatus::Completed;
            done += 1;
        }
        prop_assert_eq!(done, count);
    }
}
