//! Bodies of the original's and of nobody's: only the project decides.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

#[test]
fn the_originals_messages_are_understood() {
    let plain =
        r#"{"project_id":"proj_1","metadata":{"x":1},"action":"resume","priority":5,"execute_to_completion":true}"#;
    let message = BuildMessage::parse(plain).unwrap();
    assert_eq!(message.task_id, None);
    assert_eq!(message.action.as_deref(), Some("resume"));
    let wrapped = serde_json::to_string(plain).unwrap();
    assert_eq!(BuildMessage::parse(&wrapped).unwrap(), message);
}

/// As the original sends it for whoever gave no name, and for every resume.
#[test]
fn fields_that_are_null_or_of_another_type_are_missing() {
    let body = json!({"task_id": "task_1", "project_id": "proj_1", "requirement": null, "user_id": null, "priority": "4",
        "metadata": {"tags": []}, "target_stage": null, "action": null, "execute_to_completion": true});
    let message = BuildMessage::parse(&body.to_string()).unwrap();
    assert_eq!((message.task_id.unwrap().as_str(), message.priority), ("task_1", 4));
    for (priority, wanted) in [(json!(2.0), 2), (json!("5.0"), 5), (json!([3]), 3), (json!(null), 3), (json!("x"), 3)] {
        let body = json!({"project_id": "proj_1", "priority": priority, "task_id": 7, "user_id": {"a": [1]}});
        let message = BuildMessage::parse(&body.to_string()).unwrap();
        assert_eq!((message.priority, message.task_id, message.user_id.as_str()), (wanted, None, ""), "{body}");
    }
    let body = json!({"project_id": "proj_1", "agent_id": null, "deployment_config": null, "task_id": "task_2"});
    let message = DeployMessage::parse(&body.to_string()).unwrap();
    assert_eq!((message.agent_id.as_str(), message.deployment_config), ("agent_1", Value::Null));
}

#[test]
fn poison_is_named() {
    for bad in ["", "{", "[]", "null", "{}", r#"{"project_id":"../etc"}"#, r#"{"project_id":7}"#, "\"x\""] {
        assert!(matches!(BuildMessage::parse(bad), Err(MessageError::Malformed(_))), "{bad}");
        assert!(matches!(DeployMessage::parse(bad), Err(MessageError::Malformed(_))), "{bad}");
    }
    // What can be read of it still says whom it is about.
    let (task, project) = subject(r#"{"project_id": "a b", "task_id": "task_1"}"#);
    assert_eq!((task.unwrap().as_str(), project), ("task_1", None));
}

#[test]
fn depth_and_repeated_names_are_no_poison() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let body = format!(r#"{{"metadata": {deep}, "user_id": {deep}, "project_id": 1, "project_id": "proj_1"}}"#);
    assert_eq!(BuildMessage::parse(&body).unwrap().project_id.as_str(), "proj_1");
    assert_eq!(DeployMessage::parse(&body).unwrap().project_id.as_str(), "proj_1");
}

#[test]
fn what_cannot_be_read_beside_the_project_is_missing() {
    let odd = [
        "\u{feff}{\"project_id\": \"proj_1\"}".to_owned(),
        r#"{"requirement": "cut \ud83d", "project_id": "proj_1"}"#.to_owned(),
        r#"{"priority": 1e999, "user_id": -1e999, "project_id": "proj_1", "metadata": {"x": 1e999}}"#.to_owned(),
        r#"{"priority": 99999999999999999999999999, "project_id": " proj_1 "}"#.to_owned(),
        // A queue may be set up for messages of 1 MB.
        format!(r#"{{"requirement": "{}", "project_id": "proj_1"}}"#, "x".repeat(900_000)),
    ];
    for body in &odd {
        let begin: String = body.chars().take(60).collect();
        let message = BuildMessage::parse(body).unwrap_or_else(|error| panic!("{begin}: {error}"));
        assert_eq!(message.project_id.as_str(), "proj_1", "{begin}");
        assert_eq!(DeployMessage::parse(body).unwrap().project_id.as_str(), "proj_1", "{begin}");
        assert_eq!(subject(body).1.unwrap().as_str(), "proj_1", "{begin}");
        assert_eq!(BuildMessage::parse(&serde_json::to_string(body).unwrap()).unwrap().project_id.as_str(), "proj_1");
    }
    let half = r#"{"requirement": "cut \ud83d", "priority": 4, "task_id": "task_1", "project_id": "proj_1"}"#;
    assert_eq!(BuildMessage::parse(half).unwrap().task_id.unwrap().as_str(), "task_1");
}

#[cfg(feature = "aws")]
#[test]
fn the_action_of_the_attributes_counts_where_the_body_has_none() {
    for (action, wanted) in [(json!(null), "restart"), (json!({"a": 1}), "restart"), (json!("resume"), "resume")] {
        let body = json!({"project_id": "proj_1", "action": action}).to_string();
        for body in [body.clone(), serde_json::to_string(&body).unwrap()] {
            let message = BuildMessage::parse(&with_action(body, Some("restart"))).unwrap();
            assert_eq!(message.action.as_deref(), Some(wanted));
        }
    }
    assert_eq!(with_action("poison".to_owned(), Some("restart")), "poison");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| serde_json::Number::from_f64(n).map_or(Value::Null, Value::Number)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    /// Whatever else stands in a message.
    #[test]
    fn a_project_is_all_that_a_message_needs(
        known in prop::collection::hash_map(prop::sample::select(KNOWN.to_vec()), any_json(), 0..8),
        others in prop::collection::hash_map(".{0,10}", any_json(), 0..6),
        config in any_json(),
    ) {
        let mut body: Map<String, Value> = others.into_iter().collect();
        body.extend(known.into_iter().map(|(name, value)| (name.to_owned(), value)));
        body.insert("deployment_config".to_owned(), config);
        body.insert("project_id".to_owned(), "proj_0123456789ab".into());
        let body = Value::Object(body).to_string();
        let message = BuildMessage::parse(&body).unwrap();
        prop_assert_eq!(message.project_id.as_str(), "proj_0123456789ab");
        // What the daemon sends on it can read again.
        let again = BuildMessage::parse(&message.to_body()).unwrap();
        prop_assert_eq!(again, message);
        let deploy = DeployMessage::parse(&body).unwrap();
        prop_assert_eq!(deploy.project_id.as_str(), "proj_0123456789ab");
    }
}
