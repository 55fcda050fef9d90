//! The contract of store and queue, over their traits: every backend runs all of it.
//!
//! A backend hands in a [`Fixture`] per test; [`contract!`] names every case once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs, dead_code)]
#![allow(unreachable_pub)]

pub mod builds;
pub mod world;

/// Makes a `#[tokio::test]` of every case of the contract, with a fixture of `$make().await`.
#[macro_export]
macro_rules! contract {
    ($make:ident) => {
        $crate::contract!(@ $make, builds:
            a_build_walks_through_its_stages,
        );
    };
    (@ $make:ident, $($module:ident: $($case:ident),+ ,)+) => {
        $(mod $module { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = super::$make().await;
                $crate::store_contract::$module::$case(&fixture).await;
                fixture.end().await;
            }
        )+ })+
    };
}
