//! What every engine of the store must do. The cases know the trait only; each engine runs all of them on a store of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod campaigns;
mod commands;
mod delegations;
mod devices;
mod fleet;
mod imports;
mod kept;
mod leases;
mod others;
mod people;
mod profiles;
mod pushes;
mod sessions;
mod standing;
mod trees;

macro_rules! run_on_each_engine {
    ($($module:ident: $($case:ident)*;)*) => {
        mod sqlite {
            $($(
                #[tokio::test]
                async fn $case() {
                    let dir = tempfile::tempdir().unwrap();
                    crate::$module::$case(&crate::support::open(&dir.path().join("omadm.db"))).await;
                }
            )*)*
        }

        mod postgres {
            $($(
                #[tokio::test]
                async fn $case() {
                    crate::$module::$case(&crate::support::connect().await).await;
                }
            )*)*
        }
    };
}

run_on_each_engine! {
    devices:
        enrolment_is_read_back
        enrolment_is_all_or_none
        enrolment_refuses_what_is_taken
        user_names_can_be_exchanged
        devices_are_listed_by_id
        removal_takes_all_of_a_device
        replacement_starts_clean
        revocation_takes_the_credential_and_no_more
        what_dm1_keeps_goes_with_the_enrolment
        generations_count_on_after_removal;
    commands:
        commands_are_numbered_per_device
        a_command_is_read_back
        an_unknown_device_has_no_queue
        a_full_queue_refuses
        a_newer_command_supersedes_what_was_not_sent
        superseding_frees_a_place
        only_queued_commands_are_cancelled
        expiry_ends_queued_and_sent
        listing_is_newest_first
        sending_counts_attempts
        a_reason_goes_with_its_state
        a_transition_needs_its_state
        a_final_state_stays
        numbers_are_not_given_twice;
    campaigns:
        many_commands_are_queued_or_none
        packages_are_kept_while_they_are_needed
        a_campaign_is_read_back_and_one_of_two_steps_wins
        devices_of_a_campaign_begin_once_and_are_counted
        what_a_campaign_has_not_sent_is_cancelled
        a_campaign_gives_devices_a_profile_and_takes_it_back;
    sessions:
        check_in_reads_all_of_a_device
        check_in_by_user_brings_the_credential
        check_in_orders_sent_before_queued
        a_step_sets_what_it_names
        a_stale_version_conflicts
        a_step_made_before_a_command_was_queued_conflicts
        what_comes_beside_a_session_is_for_its_next_message_to_know
        a_conflict_leaves_nothing
        an_old_generation_conflicts
        one_of_two_rivals_wins
        sessions_are_listed_with_traces
        uploads_are_traced_with_their_session
        replaced_sessions_say_so;
    trees:
        a_subtree_is_read_in_order
        a_listing_is_paged
        replacing_forgets_what_was_below
        removing_spares_the_siblings
        merging_keeps_what_is_deeper
        merging_tells_siblings_from_what_is_deeper
        ancestors_are_made
        an_update_of_the_only_instance_needs_one
        trees_of_devices_are_apart;
    pushes:
        a_device_without_address_is_not_notified
        a_command_makes_a_notification_due
        one_notification_waits_for_its_answer
        a_way_to_the_device_serves_what_waits_already
        what_a_clock_that_was_ahead_has_put_off_is_due
        a_stale_step_of_notifying_conflicts
        ways_go_with_their_enrolment;
    profiles:
        versions_are_numbered_and_stay
        an_assignment_remembers_the_version_before
        devices_are_counted_by_state
        work_on_a_device_is_done_at_once_or_not_at_all
        nodes_are_read_by_their_addresses;
    standing:
        what_stands_keeps_its_payload
        a_report_counts_once
        validators_come_with_the_queue
        pages_are_replaced_by_name;
    delegations:
        a_delegation_is_read_back
        delegations_are_listed_newest_first
        one_of_two_delegation_steps_wins
        parts_are_counted_and_found_by_device
        a_part_waits_for_its_command_or_its_time
        a_step_that_cannot_queue_leaves_nothing
        messages_to_a_server_go_in_order
        old_delegations_are_forgotten;
    people:
        groups_are_used_by_who_is_kept_to_them
        users_are_kept_by_name
        sessions_end_with_what_they_rest_on
        tokens_are_found_by_digest_with_their_user
        what_comes_after_its_user_is_not_that_of_the_next
        entries_of_the_audit_log_are_chained
        an_old_part_of_the_audit_log_is_cut_off
        a_webhook_is_taken_by_one_and_goes_on
        what_was_given_up_is_kept_to_a_number;
    fleet:
        filters_mean_what_they_say
        a_device_is_shown_with_all_that_filters_ask
        the_inventory_follows_the_device
        what_people_say_is_kept_and_limited
        groups_are_filters_with_a_name
        a_group_is_not_in_itself
        a_group_in_use_stays;
    imports:
        rows_enrol_and_change_devices
        one_bad_row_and_nothing_is_written
        a_dry_run_writes_nothing
        what_changed_since_the_check_spares_the_other_rows
        an_import_that_breaks_off_has_failed
        old_imports_go;
    kept:
        all_that_goes_after_a_while_is_counted
        ranges_have_about_the_size_that_is_wanted
        more_than_a_page_is_counted_page_by_page;
    leases:
        one_of_several_holds_a_lease
        a_lease_that_is_over_goes_to_another
        a_clock_that_was_wrong_does_not_keep_a_lease_for_ever
        of_many_who_ask_at_once_one_gets_it;
    others:
        payloads_are_kept_for_their_device
        payloads_of_others_are_safe
        events_follow_a_cursor
        events_of_a_device_begin_with_its_enrolment
        pages_of_events_are_bounded_in_size
        ddf_files_are_replaced_by_name
        tokens_are_kept
        counts_are_those_of_now
        a_store_that_can_be_written_says_so
        pruning_spares_what_is_open_or_young
        pruning_stops_at_its_limit;
}
