//! The contract of store and queue, over their traits: every backend runs all of it.
//!
//! A backend hands in a `Fixture` per case; [`contract!`] names every case once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs, dead_code)]

pub mod books;
pub mod builds;
pub mod controls;
pub mod credentials;
pub mod events;
pub mod failures;
pub mod figures;
pub mod late;
pub mod lists;
pub mod queues;
pub mod records;
pub mod talk;
pub mod world;

/// Makes a `#[tokio::test]` of every case of the contract, with a fixture of `$make().await`.
#[macro_export]
macro_rules! contract {
    ($make:ident) => {
        $crate::contract!(@ $make,
            books: a_call_is_booked_once_and_settled_once, what_one_account_cannot_hold_is_booked_on_none,
                a_limit_that_an_account_has_of_its_own_holds_until_it_is_raised,
                another_attempt_is_booked_as_the_first_was,
                a_call_that_nobody_settled_stays_spent_and_a_late_word_still_counts, a_crowd_cannot_overdraw_an_account;
            builds: a_build_walks_through_its_stages, an_idle_build_begins_what_is_ready_side_by_side,
                a_message_of_no_use_is_obsolete, a_held_lease_keeps_others_off, an_old_lease_is_refused,
                an_attempt_fences_too, a_step_that_cannot_be_changes_nothing, a_retry_is_a_new_attempt,
                a_lease_given_back_goes_on_at_once, a_lapsed_lease_is_found_and_queued_again,
                extending_tells_what_the_user_wants, a_crowd_of_creates_at_once_are_all_there,
                a_create_that_fails_halfway_leaves_nothing, what_a_build_found_out_is_kept;
            failures: a_failed_stage_fails_the_build, a_held_build_rests_until_it_is_resumed_from_the_same_stage,
                a_dead_letter_fails_its_task,
                a_build_without_its_workflow_fails_with_a_reason, a_registered_agent_is_kept_by_a_second_build,
                agents_of_one_name_are_numbered_once_and_for_all,
                a_deployment_runs_to_its_end, a_failed_deployment_is_told,
                a_deployment_that_was_overtaken_changes_nothing, what_others_deployed_is_adopted_once, a_dead_letter_does_not_fail_a_deployment_at_once;
            controls: a_paused_message_does_nothing, a_pause_waits_for_the_running_stage,
                a_pause_reached_by_nobody_is_settled_by_the_next_claim, a_stopped_build_refuses_its_late_step,
                what_is_not_allowed_says_what_is, a_restart_resets_what_depends_on_its_stage,
                a_restart_finds_where_it_failed, a_resume_runs_failed_stages_again,
                pause_and_steps_race_without_a_stray_stage;
            events: events_are_numbered_without_a_gap, the_sink_hears_in_the_order_of_the_commits,
                events_of_an_unknown_project_are_refused, events_of_an_old_lease_are_refused,
                large_events_are_all_there;
            queues: higher_priorities_first_and_none_starves, a_waiting_receive_wakes_at_once,
                a_message_comes_again_after_its_time, an_old_receipt_does_nothing, extending_keeps_it_hidden,
                too_many_receives_go_to_the_dead_letters, progress_forgets_earlier_receives,
                releasing_counts_or_not, moving_by_hand_is_settled, depth_is_true,
                a_receive_that_waits_sees_what_another_lets_go;
            lists: pages_do_not_shift_under_inserts, filters_apply_before_the_page, sorting_and_searching,
                tasks_and_agents_have_pages;
            credentials: keys_and_sessions_are_kept_and_changed_under_their_revision;
            late: an_answer_under_a_lost_key_changes_nothing, an_answer_of_a_lost_session_is_refused,
                what_was_touched_since_is_not_past_its_time;
            records: what_is_large_comes_back_whole, deleting_a_project_takes_all_of_it, deleting_keeps_agents_unless_asked,
                sessions_count_and_name_themselves, messages_by_range, invocations_move_the_figures,
                an_agent_goes_with_its_conversations, an_agents_state_follows_its_machine, counts_are_true,
                deletions_are_recorded_until_they_are_dealt_with,
                what_is_past_its_time_is_found_and_nothing_else,
                a_key_whose_holder_is_gone_is_free_again, only_one_answers_in_a_session;
            figures: every_page_is_its_slice_of_the_whole, totals_follow_every_change,
                figures_are_real_and_every_day_is_there, tools_are_kept_counted_and_removed,
                what_is_counted_at_once_is_all_counted,
                an_agent_is_changed_by_its_machine, a_request_that_comes_twice_creates_once;
        );
    };
    (@ $make:ident, $($module:ident: $($case:ident),+ ;)+) => {
        $(mod $module { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = super::$make().await;
                $crate::contract::$module::$case(&fixture).await;
                fixture.end().await;
            }
        )+ })+
    };
}
