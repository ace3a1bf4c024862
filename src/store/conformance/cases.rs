//! The list of cases. Each becomes a test of its own, named after the promise it keeps.

/// `conformance!(open)` within a module makes the suite's tests for the store that `open` opens; `conformance!(together open
/// rig)` makes one test of all of them, for a store whose servers take long to start: `rig` gives what must outlive it.
macro_rules! conformance {
    ($open:path) => {
        conformance! { list each $open, }
    };
    (together $open:path, $rig:path) => {
        conformance! { list together $open, $rig }
    };
    (list $how:ident $open:path, $($rig:path)?) => {
        conformance! { @ $how $open, $($rig)?;
            mailbox:
                an_id_that_was_seen_changes_nothing,
                of_64_deliveries_at_once_one_counts,
                an_id_is_forgotten_after_its_time,
                an_id_is_forgotten_when_enough_newer_ones_came,
                a_batch_keeps_its_order_and_answers_in_it,
                events_of_8_producers_keep_each_producers_order,
                a_full_mailbox_says_so_and_takes_events_again_later,
                a_refused_event_can_be_delivered_again,
                an_event_over_the_cap_refuses_the_whole_batch,
                a_burst_is_answered_after_quiet_and_no_later_than_its_cap,
                without_quiet_a_contact_is_due_at_once,
                an_urgent_event_ends_the_quiet_time,
                aliases_lead_to_one_contact_in_the_order_learned,
                a_clash_of_aliases_is_said_and_links_nothing,
                bytes_come_back_as_they_went_in;
            claims:
                only_one_of_many_claimers_gets_the_contact,
                a_contact_that_is_not_due_cannot_be_claimed,
                the_same_nonce_gets_the_same_claim_again,
                who_brings_an_event_gets_the_claim_in_the_same_step,
                who_brings_an_event_of_a_contact_that_is_not_due_only_stores_it,
                an_expired_lease_can_be_taken_and_the_old_holder_is_fenced,
                a_fence_number_is_nothing_without_its_nonce,
                a_claim_takes_a_bounded_number_of_events,
                an_event_that_kills_its_worker_three_times_is_parked,
                a_turn_that_fails_backs_off_and_is_parked_the_third_time,
                a_repeated_fail_counts_once,
                new_events_do_not_shorten_the_back_off,
                a_turn_that_succeeds_forgets_earlier_failures;
            turns:
                a_turn_writes_everything_together,
                a_repeated_commit_says_already_and_writes_once,
                a_fenced_commit_writes_nothing,
                over_any_cap_nothing_is_written_and_the_lease_stays,
                exactly_the_events_up_to_the_given_one_are_consumed,
                events_that_arrive_during_a_turn_queue_the_contact_again,
                blobs_are_kept_written_and_removed_as_told,
                the_thread_keeps_its_newest_lines,
                a_history_line_of_an_event_is_written_once;
            outbox:
                messages_leave_in_order_one_at_a_time,
                a_head_that_must_wait_holds_back_the_rest,
                a_retry_keeps_its_place_and_comes_again_in_time,
                a_dead_message_leaves_its_reason_in_the_thread,
                after_a_dead_sender_the_message_is_uncertain,
                a_lost_send_cannot_be_recorded,
                a_repeated_send_done_changes_nothing,
                an_uncertain_send_is_tried_again_at_its_time,
                doubts_are_counted_and_a_wait_is_no_attempt,
                a_status_settles_an_uncertain_send,
                a_status_before_the_accept_is_recorded_counts,
                a_late_lower_status_changes_nothing,
                a_status_of_another_channel_or_nobody_is_not_known,
                a_turn_and_its_first_send_are_one_step,
                a_send_and_the_next_are_one_step,
                an_id_that_was_queued_before_is_not_queued_again,
                an_id_that_the_turn_itself_pushes_out_of_the_thread_is_still_known,
                the_window_starts_with_the_customers_words_only;
            pace:
                a_pair_is_paced_after_its_burst,
                what_was_borrowed_is_given_back_by_waiting,
                a_paced_contact_holds_nobody_else_back,
                what_people_write_counts_and_waits_too,
                a_message_that_a_status_settles_first_counts_once,
                an_accept_that_is_recorded_twice_counts_once,
                what_did_not_leave_does_not_count,
                the_pace_outlives_the_process,
                tokens_run_out_after_the_burst_and_come_back_at_the_rate,
                each_number_has_its_own_tokens,
                of_many_takers_at_once_none_gets_anothers_token,
                a_clock_set_back_does_not_stop_a_number;
            takeover:
                a_takeover_voids_what_the_bot_queued,
                a_takeover_leaves_what_people_queued,
                a_takeover_leaves_what_is_being_sent_but_not_its_retry,
                a_takeover_silences_the_turn_in_flight,
                a_takeover_is_not_undone_by_the_turn_in_flight,
                the_bots_goodbye_is_sent_after_it_hands_over,
                what_the_bot_queues_while_people_own_the_chat_is_dropped,
                a_void_head_does_not_hold_back_a_person,
                after_a_pause_the_bot_speaks_again;
            timers:
                a_timer_fires_once_and_never_early,
                a_timer_set_again_is_moved,
                a_cancelled_timer_does_not_fire,
                a_timer_in_both_lists_is_set,
                a_timer_that_fired_can_no_longer_be_cancelled,
                a_thousand_timers_of_one_millisecond_all_fire_once,
                a_timer_reaches_a_full_mailbox,
                a_timer_that_fires_during_a_turn_waits_for_its_end,
                a_job_is_done_once_and_its_result_is_an_event,
                a_job_of_a_dead_worker_is_claimed_again_and_the_old_claim_is_void,
                a_job_that_takes_long_stays_with_the_worker_that_keeps_its_claim,
                a_claim_that_was_lost_is_not_kept,
                a_job_that_is_given_back_is_taken_at_once,
                a_job_is_asked_for_once,
                a_job_waits_for_its_time;
            whole:
                everything_is_there_after_reopening,
                a_step_repeated_after_a_lost_answer_changes_nothing_more,
                what_was_in_work_is_taken_up_again_after_reopening,
                work_is_listed_soonest_first_and_bounded,
                contacts_are_listed_by_latest_activity,
                settings_keep_the_last_write,
                a_setting_is_swapped_only_by_who_saw_what_it_is,
                of_many_who_swap_a_setting_at_once_one_does,
                settings_are_listed_by_what_their_keys_begin_with,
                a_clock_set_back_or_forward_an_hour_loses_nothing,
                waiting_ends_when_something_was_written,
                waiting_ends_when_the_clock_reaches_the_soonest_work,
                looking_for_work_in_vain_does_not_end_the_waiting,
                a_closed_store_says_so;
        }
    };
    (@ together $open:path, $rig:path; $($theme:ident: $($case:ident),+;)+) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_case_holds() {
            let _rig = $rig();
            $($(
                println!("{}::{}", stringify!($theme), stringify!($case));
                crate::conformance::$theme::$case($open).await;
            )+)+
        }
    };
    (@ each $open:path, ; $($theme:ident: $($case:ident),+;)+) => {
        $(mod $theme {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::conformance::$theme::$case($open).await;
            })+
        })+
    };
}

/// The same for what keeps records as wholes: put aside, erased, merged, exported.
macro_rules! conformance_of_records {
    ($open:path) => {
        conformance_of_records! { list each $open, }
    };
    (together $open:path, $rig:path) => {
        conformance_of_records! { list together $open, $rig }
    };
    (list $how:ident $open:path, $($rig:path)?) => {
        conformance! { @ $how $open, $($rig)?;
            dead:
                what_was_put_aside_can_be_read_newest_first,
                a_parked_event_comes_back_once,
                a_parked_event_wakes_a_contact_that_rests_and_a_full_mailbox_takes_it,
                a_parked_event_can_be_forgotten,
                beyond_the_cap_the_oldest_parked_event_goes_and_is_counted,
                what_could_not_be_read_is_kept_once_and_can_be_forgotten,
                what_was_put_aside_is_forgotten_after_its_time;
            people:
                an_erased_contact_leaves_nothing,
                an_erased_contact_is_not_resurrected_by_a_redelivery,
                who_writes_anew_after_an_erasure_is_a_fresh_contact,
                an_erasure_fences_the_turn_in_flight,
                merged_contacts_are_one_and_a_repeated_merge_changes_nothing,
                what_is_still_delivered_for_a_merged_contact_reaches_the_one,
                what_may_have_been_sent_is_still_in_doubt_after_a_merge,
                contacts_in_work_are_not_merged,
                what_cannot_be_merged_says_why,
                if_people_have_either_chat_they_have_the_merged_one,
                time_forgets_old_lines_and_the_memory_of_the_silent,
                what_must_not_be_forgotten_stays_of_a_memory,
                an_export_imported_elsewhere_is_the_same_store,
                an_import_over_another_contact_is_refused,
                what_is_in_work_goes_out_as_if_its_holder_had_died,
                a_walk_in_steps_meets_every_contact_once,
                a_walk_goes_on_after_reopening,
                the_counts_are_of_what_is_there;
        }
    };
}
