"""What the policy says of people's rights, and of how their data is secured."""

from typing import Final

from tools.docs.privacy.sentence import Sentence, tests


_EXPORT: Final = tests("privacy/test_export::everything_that_is_held_about_a_person_is_in_their_export")
_ERASED: Final = tests("privacy/test_erasure::after_an_erasure_nothing_anywhere_names_the_person")
_STOPPED: Final = tests(
    "privacy/test_rights::while_a_right_is_in_force_nothing_new_is_tracked_and_a_stop_works",
    "privacy/test_rights::nobody_else_is_shown_anything_and_the_person_everything",
)
RIGHTS: Final = (
    Sentence(
        "Access, and a portable copy.",
        "JSON with a published schema, or a zip of CSVs that no spreadsheet takes for formulas; on the audit log.",
        ("export_data",),
        (
            *_EXPORT,
            *tests(
                "privacy/test_export::a_zip_holds_the_same_and_no_cell_that_a_spreadsheet_would_run",
                "privacy/test_export::an_export_is_on_the_audit_log",
                "contract/test_export_schema::the_published_schema_is_that_of_the_code",
            ),
        ),
    ),
    Sentence(
        "Correction.",
        "Names and entries, on record. A bill that is closed stays; what it misses is an adjustment.",
        ("rename_me", "correct_entry"),
        tests(
            "tenants/test_users::a_rename_shows_at_once_and_the_version_guards_it",
            "timers/test_entries_corrected::a_closed_month_is_changed_as_an_adjustment_and_an_open_one_is_not",
        ),
    ),
    Sentence(
        "Erasure, verified, within 30 days, but for what the law requires kept.",
        "After three days in which it can be taken back, a random pseudonym in every table; hours, counts and totals "
        "stay. In the text of others an id, an address and a name that the directory gave; a super admin can keep "
        "mentions that are about somebody else. The request shows what delays it.",
        ("request_erasure", "list_erasures", "list_mentions", "choose_mentions", "withdraw_erasure"),
        (
            *_ERASED,
            *tests(
                "privacy/test_erasure_by_identity::whatever_somebody_is_called_their_erasure_changes_nothing_of_others",
                "privacy/test_mentions::a_super_admin_sees_the_places_and_has_some_stay",
                "privacy/test_erasure::hours_and_counts_stay_to_the_millisecond",
                "privacy/test_erasure::a_second_erasure_changes_nothing",
                "privacy/test_request_machine::requests_follow_their_model",
                "faults/test_erasures::killed_before_any_statement_the_next_run_finishes_it_and_no_hour_is_lost",
                "ops/test_privacy::whoever_is_erased_is_erased_again_after_a_restore",
            ),
        ),
    ),
    Sentence(
        "Objection, restriction, withdrawal of consent.",
        "Nothing new is tracked, nobody else is shown anything, the data stays; each change is on record.",
        ("get_privacy", "change_rights"),
        (*_STOPPED, *tests("privacy/test_rights::each_change_is_on_the_audit_log")),
    ),
    Sentence(
        "A nominee.",
        "Written by the person, who finds it in the export that they ask for themselves; read by an operator who has "
        "checked who asks, on record; and by nobody else.",
        ("name_nominee", "remove_nominee", "export_data"),
        tests(
            "privacy/test_rights::a_nominee_is_in_the_export_of_who_named_them_and_in_nobody_elses",
            "ops/test_privacy::a_nominee_is_read_on_record",
        ),
    ),
    Sentence(
        "A complaint; no automated decisions.",
        "Both stand at the head of every export.",
        ("export_data",),
        tests("privacy/test_policy::an_export_says_whom_to_complain_to_and_that_nothing_is_decided_by_itself"),
    ),
)
SECURITY: Final = (
    Sentence(
        "HTTPS only, encrypted database connections.",
        "What stands in Azure takes nothing else; a setting that would weaken a line is refused at the start.",
        (),
        tests(
            "contract/test_infra::only_encrypted_lines_and_no_keys_or_passwords",
            "contract/test_settings::no_engine_is_made_for_a_line_that_is_not_safe",
        ),
    ),
    Sentence(
        "Tokens validated on every call.",
        "The edge is the only way in, and there is no switch.",
        ("get_me",),
        tests(
            "contract/test_permissions::nothing_is_answered_without_a_token",
            "shared/test_identity::a_token_with_a_wrong_claim_is_refused",
        ),
    ),
    Sentence(
        "Webhooks validated before any state change.",
        "The token first, then Microsoft's own copy; the body is never acted on.",
        ("receive_marketplace_event",),
        tests(
            "webhooks/test_tokens::a_token_that_says_anything_else_changes_nothing",
            "webhooks/test_tokens::a_token_that_was_overheard_does_nothing_that_microsoft_does_not_say",
        ),
    ),
)
