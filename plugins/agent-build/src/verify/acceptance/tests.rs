//! Cases are made from the reading alone, kept as they are, and enough of every kind.

use super::*;
use crate::author::{Author as _, Brief, offline::OfflineAuthor};

pub(super) async fn frozen(text: &str) -> Frozen {
    let (_recorder, context) = nexus_plugin_api::sdk::testing::Recorder::new();
    let brief = Brief { project_name: String::new(), requirement: text.into(), context };
    let requirements = OfflineAuthor::new().unwrap().analyse(&brief).await.unwrap().object;
    Frozen::of(text, &requirements)
}

fn asks(frozen: &Frozen, kind: CaseKind) -> Vec<(&str, &str)> {
    let of_kind = frozen.cases.iter().filter(|case| case.kind == kind);
    of_kind.map(|case| (case.ask.as_str(), case.expected.as_str())).collect()
}

#[tokio::test]
async fn every_datum_a_served_clause_a_limit_and_traps() {
    let frozen = frozen(
        "A bot for our stall. Prices: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. It converts kg to lb, and books tables by email.",
    )
    .await;
    let data = asks(&frozen, CaseKind::Datum);
    for case in [
        ("How much is apple?", "3 EUR"),
        ("How much is plum?", "2.50 EUR"),
        ("How much are 3 apple?", "9 EUR"),
        ("What is the cheapest?", "plum"),
    ] {
        assert!(data.contains(&case), "{case:?}: {data:?}");
    }
    assert!(asks(&frozen, CaseKind::Task).iter().any(|(ask, _)| ask.contains("kg in lb")), "{:?}", frozen.cases);
    assert!(!asks(&frozen, CaseKind::Refusal).is_empty(), "{:?}", frozen.cases);
    assert!(asks(&frozen, CaseKind::Trap).len() >= 4);
    let sourced = frozen.cases.iter().find(|case| case.ask == "How much is pear?").unwrap();
    assert!(sourced.source.as_deref().unwrap().contains("pear 4"), "{sourced:?}");
}

#[tokio::test]
async fn the_same_requirement_gives_the_same_cases_and_a_change_is_seen() {
    let text = "价目：苹果 3元，梨 4元。还能把公斤换算成磅。";
    let (first, second) = (frozen(text).await, frozen(text).await);
    assert_eq!(first, second);
    let (file, digest) = first.file().unwrap();
    assert_eq!(Frozen::read(&file, &digest).unwrap(), first);
    assert!(matches!(Frozen::read(&file.replace("苹果", "桃"), &digest), Err(FrozenError::Changed)));
    assert!(first.cases.iter().all(|case| case.ask.contains(nexus_evaluation::text::is_chinese)), "{first:?}");
}

#[tokio::test]
async fn a_long_list_is_sampled() {
    let list: Vec<String> = (0..300).map(|n| format!("item{} {n}.50 EUR", letters(n))).collect();
    let frozen = frozen(&format!("A price bot. Prices:\n- {}", list.join("\n- "))).await;
    assert!((10..=MOST).contains(&frozen.cases.len()), "{}", frozen.cases.len());
    assert!(frozen.cases.iter().filter(|case| case.kind == CaseKind::Datum).count() >= 6);
}

fn letters(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}

#[test]
fn samples_are_spread() {
    assert_eq!(sampled((0..10).collect(), 3), [3, 6, 9]);
    assert_eq!(sampled((0..3).collect(), 9), [0, 1, 2]);
    assert!(sampled((0..3).collect(), 0).is_empty() && sampled(Vec::<u8>::new(), 4).is_empty());
}
