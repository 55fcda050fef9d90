use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::providers::{Reply, Scripted};
use crate::{StopReason, Usage};

fn schema() -> OutputSchema {
    let text = r#"{"type":"object","properties":{"why":{"type":"string"},"count":{"type":"integer","minimum":1}},
        "required":["why","count"],"additionalProperties":false}"#;
    OutputSchema::parse("plan", text).unwrap()
}

#[test]
fn an_object_is_found_however_it_is_wrapped() {
    let wanted = json!({ "a": "}{,]", "b": [1, 2] });
    let bare = r#"{"a":"}{,]","b":[1,2]}"#;
    let wrapped = [
        bare.to_owned(),
        format!("\u{feff} \n{bare}\n"),
        format!("```json\n{bare}\n```"),
        format!("Here is {{your}} plan:\n\n{bare}\n\nTell me if {{it}} fits."),
        serde_json::to_string(bare).unwrap(),
        r#"{"a":"}{,]","b":[1,2,],}"#.to_owned(),
    ];
    for text in wrapped {
        assert_eq!(read_object(&text).unwrap(), wanted, "{text}");
    }
}

#[test]
fn nothing_is_completed_or_guessed() {
    for text in ["", "no", "[1]", "null", "{\"a\":1", "{\"a\":\"x", "```json\n{\"a\":[1,2}\n```", "{'a': 1}"] {
        assert!(read_object(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in r#"[{}\[\]",:\\a0 \n三]{0,60}"#) {
        let _result = read_object(&text);
    }

    #[test]
    fn what_is_valid_is_read_as_it_is(key in ".{0,10}", value in ".{0,30}") {
        let object = json!({ key: value, "n": [1, { "m": null }] });
        prop_assert_eq!(read_object(&object.to_string()).unwrap(), object.clone());
        prop_assert_eq!(read_object(&format!("So:\n{object}\nDone.")).unwrap(), object);
    }
}

fn reply(text: &str, stop: StopReason) -> Reply {
    Reply::new().text(text).usage(Usage { input: 3, output: 2, ..Usage::default() }).stop(stop)
}

#[tokio::test]
async fn the_model_sees_its_exact_mistakes_once() {
    let model = Scripted::new([
        reply(r#"{"why": 3, "count": 0, "more": true}"#, StopReason::EndTurn),
        reply(r#"{"why":"so","count":2}"#, StopReason::EndTurn),
    ]);
    let typed: Typed<serde_json::Value> =
        ask(&model, ChatRequest::of("plan"), &schema(), |problems| format!("Mend:\n{}", problems.join("\n")))
            .await
            .unwrap();
    assert_eq!(typed.value, json!({ "why": "so", "count": 2 }));
    assert_eq!(typed.answers.len(), 2, "both answers are paid for");
    let repair = &model.requests()[1];
    let Content::Text(words) = &repair.messages[2].content[0] else { panic!("no text") };
    for word in
        ["/why: 3 is not of type \"string\"", "/count: 0 is less than the minimum of 1", "'more' was unexpected"]
    {
        assert!(words.contains(word), "{words}");
    }
    assert_eq!(repair.messages[1], Message::assistant(r#"{"why": 3, "count": 0, "more": true}"#));
}

#[tokio::test]
async fn a_second_failure_is_the_end_and_shows_everything() {
    let model = Scripted::new([
        reply(r#"{"why":"s"#, StopReason::MaxTokens),
        reply("I cannot.", StopReason::EndTurn),
        reply(r#"{"why":"so","count":2}"#, StopReason::EndTurn),
    ]);
    let result: Result<Typed<serde_json::Value>, _> = ask(&model, ChatRequest::of("plan"), &schema(), |problems| {
        assert!(problems[0].contains("cut at the limit"), "{problems:?}");
        problems.concat()
    })
    .await;
    let Err(TypedError::NotOfSchema { answers, reason, .. }) = result else { panic!("{result:?}") };
    assert_eq!((answers.len(), reason.problems.len()), (2, 1));
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test]
async fn whole_json_that_was_cut_is_not_trusted() {
    let model =
        Scripted::new([reply(r#"{"why":"so","count":2}"#, StopReason::MaxTokens), reply("", StopReason::EndTurn)]);
    let result: Result<Typed<serde_json::Value>, _> =
        ask(&model, ChatRequest::of("plan"), &schema(), |p| p.concat()).await;
    assert!(matches!(result, Err(TypedError::NotOfSchema { .. })));
}
