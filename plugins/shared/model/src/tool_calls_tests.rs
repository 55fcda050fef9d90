use super::*;
use crate::ErrorKind;

type Given = (Option<u64>, Option<&'static str>, Option<&'static str>, &'static str);

fn run(unreliable: bool, fragments: &[Given]) -> Result<Vec<(String, String, Arguments)>, ModelError> {
    let mut calls = ToolCalls::new(&Identity::new("p", "m"), unreliable);
    for (index, id, name, arguments) in fragments {
        calls.take(Fragment { index: *index, id: *id, name: *name, arguments })?;
    }
    calls
        .drain(None)
        .into_iter()
        .map(|event| match event? {
            StreamEvent::ToolCall(call) => Ok((call.id, call.name, call.arguments)),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn object(text: &str) -> Arguments {
    Arguments::Object(serde_json::from_str(text).unwrap())
}

#[test]
fn fragments_are_matched_by_what_servers_send() {
    let two = [("a".to_owned(), "f".to_owned(), object(r#"{"x":1}"#)), ("b".to_owned(), "g".to_owned(), object("{}"))];
    // By index; by id without an index; with everything again in each fragment; with empty names (LM Studio).
    let streams: [&[Given]; 4] = [
        &[
            (Some(0), Some("a"), Some("f"), ""),
            (Some(1), Some("b"), Some("g"), "{"),
            (Some(0), None, None, "{\"x\":1}"),
            (Some(1), None, None, "}"),
        ],
        &[(None, Some("a"), Some("f"), "{\"x\""), (None, Some("a"), None, ":1}"), (None, Some("b"), Some("g"), "")],
        &[
            (Some(0), Some("a"), Some("f"), "{\"x\""),
            (Some(0), Some("a"), Some("f"), ":1}"),
            (Some(1), Some("b"), Some("g"), "{}"),
        ],
        &[
            (Some(0), Some("a"), Some("f"), "{\"x\""),
            (Some(0), Some(""), Some(""), ":1}"),
            (Some(1), Some("b"), Some("g"), "{}"),
        ],
    ];
    for stream in streams {
        assert_eq!(run(false, stream).unwrap(), two, "{stream:?}");
    }
}

#[test]
fn one_open_call_takes_a_fragment_that_names_nothing() {
    let calls = run(false, &[(None, Some("a"), Some("f"), "{\"x\""), (None, None, None, ":1}")]).unwrap();
    assert_eq!(calls[0].2, object(r#"{"x":1}"#));
}

#[test]
fn what_is_ambiguous_is_an_error_and_never_guessed() {
    let streams: [&[Given]; 5] = [
        // Two calls with one index.
        &[(Some(0), Some("a"), Some("f"), "{}"), (Some(0), Some("b"), Some("g"), "{}")],
        // The id of one and the index of the other.
        &[(Some(0), Some("a"), Some("f"), ""), (Some(1), Some("b"), Some("g"), ""), (Some(1), Some("a"), None, "{}")],
        // Nothing at all, with two calls open.
        &[(None, Some("a"), Some("f"), ""), (None, Some("b"), Some("g"), ""), (None, None, None, "{}")],
        // Another name for the same call.
        &[(Some(0), Some("a"), Some("f"), ""), (Some(0), Some("a"), Some("g"), "{}")],
        // A call that never began.
        &[(Some(3), None, None, "{}")],
    ];
    for stream in streams {
        assert_eq!(run(false, stream).unwrap_err().kind, ErrorKind::Protocol, "{stream:?}");
    }
}

#[test]
fn a_server_whose_indexes_are_known_to_be_wrong_is_read_by_ids() {
    let calls =
        run(true, &[(Some(0), Some("a"), Some("f"), "{}"), (Some(0), Some("b"), Some("g"), "{\"y\":2}")]).unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].2, object(r#"{"y":2}"#));
}

#[test]
fn a_call_without_an_id_gets_one_that_stays_the_same() {
    let mut calls = ToolCalls::new(&Identity::new("p", "m"), false);
    let first = calls.take(Fragment { index: Some(0), name: Some("f"), ..Fragment::default() }).unwrap();
    let Some(StreamEvent::ToolDelta(ToolDelta { id: Some(told), .. })) = first else { panic!("{first:?}") };
    let Some(Ok(StreamEvent::ToolCall(call))) = calls.drain(None).pop() else { panic!("no call") };
    assert_eq!(call.id, told);
}
