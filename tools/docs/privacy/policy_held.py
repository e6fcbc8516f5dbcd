"""What the policy says is stored, what never is, how long it is kept and who sees it."""

from typing import Final

from tools.docs.privacy.sentence import Sentence, tests


_EXPORT: Final = tests("privacy/test_export::everything_that_is_held_about_a_person_is_in_their_export")
_COLUMNS: Final = tests("contract/test_privacy::the_catalogue_says_of_every_column_what_it_may_hold_of_a_person")
_LOGGED: Final = tests("support/test_marks::every_mark_is_found_wherever_it_stands")
STORED: Final = (
    Sentence(
        "Of a person: e-mail, display name, directory id, provider, role, whether active, inviter, first and last "
        "sign-in.",
        "The columns of `users` and `user_months`, and no others; each stands in an export.",
        ("sign_in", "get_me", "add_users", "export_data"),
        (*_COLUMNS, *_EXPORT),
    ),
    Sentence(
        "Of an organisation: name, slug, directory id, Azure DevOps organisation, admin's e-mail, plan, rate, seat "
        "limit, trial dates, subscription id, users at purchase.",
        "The columns of `tenants`; in the organisation's export.",
        ("create_tenant", "get_tenant", "export_data"),
        (
            *_COLUMNS,
            *tests("privacy/test_export::a_super_admin_takes_out_a_member_and_the_organisation_and_others_neither"),
        ),
    ),
    Sentence(
        "Of time: person, organisation, project, work item, start, stop, elapsed, existing hours; a log of starts and "
        "stops; an action log of type and page.",
        "`running_timers`, `time_entries`, `timer_log`, `action_log`. A page that might name somebody is refused.",
        ("start_timer", "stop_timer", "list_timer_log", "record_actions", "export_data"),
        (*_EXPORT, *tests("tenants/test_actions::a_page_that_might_name_somebody_is_refused")),
    ),
    Sentence(
        "Of work items: id, type, title, assignee's name, state, read with the caller's token, for reports only.",
        "Of the assignee the name alone is kept, never the address; the token goes to one host and is kept nowhere. "
        "Title, assignee and state are shown to those who have read the item with their own token in the last 30 days, "
        "and blanked when nobody has.",
        ("get_work_item", "refresh_work_items"),
        tests(
            "contract/test_titles::a_statement_shows_titles_only_to_who_has_read_them",
            "privacy/test_work_items_read::after_thirty_days_readings_go_and_titles_are_blanked_but_not_types",
            "shared/test_azure_devops::of_the_assignee_only_the_name_is_kept",
            "shared/test_azure_devops::no_assignees_name_has_an_address_or_does_not_fit",
            "shared/test_azure_devops::the_token_is_in_no_error_no_log_and_no_repr",
        ),
    ),
    Sentence(
        "Of billing: subscription, plan, active users' e-mails, count, rate, total, month, last event, operation id, "
        "quantity.",
        "Bills and their lines; super admins read them. Proposed for the policy: the buyer of a subscription is its "
        "billing contact, and who asked for, agreed to or declined a purchase is kept; admins see it.",
        ("list_billing_records", "get_billing_month", "get_billing_statement", "list_purchases"),
        tests(
            "billing/test_records::a_record_says_what_was_counted_and_what_it_comes_to",
            "billing/test_records::a_month_has_everybody_who_counts_and_why",
        ),
    ),
)
NEVER: Final = (
    Sentence(
        "No IP address, user agent or location.",
        "No column and no field of the log is for them. Every request of the tests carries one of each; a test that "
        "has one logged fails, and in the end the whole database is searched. Azure's telemetry drops them.",
        (),
        (
            *_LOGGED,
            *tests(
                "privacy/test_demo::the_demo_logs_and_keeps_nothing_that_the_policy_rules_out_and_forgets_who_is_erased",
                "contract/test_infra::telemetry_forgets_where_people_are_and_what_they_use",
            ),
        ),
    ),
    Sentence(
        "No tokens, no passwords.",
        "People sign in at Microsoft. A token is checked and forgotten; a purchase's is removed when it was resolved.",
        ("open_landing_page",),
        (
            *_LOGGED,
            *tests(
                "webhooks/landing/test_landing::a_visit_keeps_nothing_that_led_to_it",
                "webhooks/landing/test_landing_refusals::neither_tokens_nor_people_are_logged",
                "contract/test_infra::telemetry_has_addresses_of_pages_without_their_query",
            ),
        ),
    ),
    Sentence(
        "No contacts, no payment instruments.",
        "Microsoft is the merchant; of a bill it is told how many people, never who.",
        (),
        (*_COLUMNS, *tests("privacy/test_policy::the_meter_is_told_numbers_and_nobody")),
    ),
    Sentence(
        "No analytics of others; no training of models.",
        "The app sends to Entra, the Marketplace, Azure DevOps and its own stores, and to nobody else; pages fetch "
        "nothing.",
        (),
        tests(
            "privacy/test_policy::nothing_is_sent_to_anybody_but_the_services_that_are_named",
            "webhooks/landing/test_landing_pages::a_page_fetches_nothing_and_runs_nothing",
        ),
    ),
)
KEPT: Final = (
    Sentence(
        "Accounts until an admin deactivates them, then with their history.",
        "A deactivated account is out at once and keeps its hours.",
        ("deactivate_user",),
        tests("tenants/test_sign_in::a_deactivated_person_is_out_at_once_with_a_valid_token"),
    ),
    Sentence(
        "Logs and timers for the organisation's life, unless deletion is asked for.",
        "No job removes them; the organisation's erasure does.",
        ("request_erasure",),
        tests(
            "privacy/test_retention::every_table_has_a_class_and_only_one",
            "privacy/test_tenant_erasure::an_organisation_goes_with_its_people_and_its_time",
        ),
    ),
    Sentence(
        "Billing records for seven years.",
        "Then names and addresses go from the lines; sums stay, and that somebody was billed, so that it is not twice.",
        ("list_billing_records",),
        tests(
            "privacy/test_retention::the_names_on_a_bill_go_after_seven_years_and_its_sums_stay",
            "privacy/test_retention::under_a_legal_hold_nothing_expires_but_stored_answers",
        ),
    ),
    Sentence(
        "Trial data after the trial, deletable at any time.",
        "The end of a trial removes nothing; its super admin may have it erased.",
        ("request_erasure",),
        tests("privacy/test_policy::a_trial_that_is_over_keeps_everything_until_it_is_asked_to_go"),
    ),
)
SEEN: Final = (
    Sentence(
        "Seen by the person.",
        "Own timers, entries, log and export.",
        ("list_entries", "list_timer_log", "export_data"),
        tests("timers/test_entries::people_see_their_own_entries_and_admins_everyones"),
    ),
    Sentence(
        "Seen by admins and super admins of the same organisation: timer log, action log, running timers.",
        "One row for each call says who may; another organisation's ids do not exist.",
        ("list_timers", "list_timer_log", "list_actions"),
        tests(
            "contract/test_permissions::a_role_may_do_to_a_colleague_what_its_row_says_and_nothing_to_a_stranger",
            "contract/test_permissions::another_tenants_ids_are_as_if_they_did_not_exist",
        ),
    ),
    Sentence(
        "Seen by authorities on a valid order.",
        "An operator takes the data out, on record, and may hold an organisation meanwhile.",
        (),
        tests(
            "ops/test_privacy::an_export_goes_to_a_file_and_on_record",
            "ops/test_privacy::a_tenant_under_a_legal_hold_loses_nothing",
        ),
    ),
)
