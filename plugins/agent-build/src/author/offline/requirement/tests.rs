use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Requirement {
    Requirement::read(text, &|_| false).unwrap()
}

fn kinds(text: &str) -> Vec<(&'static str, usize)> {
    read(text).data.iter().map(|d| (d.kind(), d.len())).collect()
}

fn tasks(text: &str) -> Vec<String> {
    read(text).reading.tasks.into_iter().map(|task| task.text).collect()
}

#[test]
fn tasks_and_data_are_told_apart() {
    let text = "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. It should also convert kg to lb.";
    assert_eq!(
        tasks(text),
        ["Build an agent that answers questions about this price list", "It should also convert kg to lb."]
    );
    assert_eq!(kinds(text), [("prices", 3)]);
}

#[test]
fn chinese() {
    let text = "做一个水果店助手，价格：苹果 3元, 梨 4元。还能把公斤换算成磅。";
    assert_eq!((read(text).language, kinds(text)), (Language::Zh, vec![("prices", 2)]));
    assert!(tasks(text).iter().any(|t| t.contains("换算")));
}

#[test]
fn several_kinds_at_once() {
    let text = "Museum guide. The museum is closed on Mondays. Q: Is there a café? A: Yes, on floor 2.\n\nTickets:\nadult: 12 EUR\nchild: 6 EUR";
    let mut found = kinds(text);
    found.sort_unstable();
    assert_eq!(found, [("faq", 1), ("hours", 1), ("notes", 2), ("prices", 2)]);
}

#[test]
fn nothing_said() {
    assert_eq!(Requirement::read(" 🙂 …\n", &|_| false).unwrap_err(), Empty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_can_be_read(text in "\\PC{0,400}") {
        let _ = Requirement::read(&text, &|_| false);
    }

    #[test]
    fn any_list_like_text_can_be_read(text in "([a-zé苹果梨: ,;|=\\n\\-\"'(){}\\[\\]€$¥0-9.元QA?？：，]{0,20}){0,12}") {
        let _ = Requirement::read(&text, &|_| false);
    }
}
