"""The catalog: the kind of data in every column of every table, for export and erasure.

tests/contract/test_privacy.py fails for a table or column without an entry, so no data is collected unnoticed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from privacy.catalog.kinds import CatalogEntry, RowAction, columns


_BILLS: Final = RowAction.KEEP  # seven years, with pseudonyms for names
CATALOG: Final[Mapping[str, CatalogEntry]] = MappingProxyType(
    {
        "tenants": CatalogEntry(
            "the organization",
            columns(
                internal="id version legal_hold_reason legal_hold_at log_key has_numbered_log",
                organization="public_id entra_tenant_id slug name organization",
                fact="plan_kind status time_zone trial_started_at trial_ends_at seats_used seat_limit rate_per_user "
                "currency rate_unit subscription_id users_at_purchase forgotten_timer_limit_ms write_back "
                "lower_remaining_work erased_at created_at updated_at",
                identity="admin_email",
            ),
            section="organisation",
            tenant_erased=_BILLS,
        ),
        "tenant_zones": CatalogEntry(
            "the organization's earlier time zones, for bills",
            columns(internal="tenant_id", fact="until_at time_zone"),
            section="timeZones",
            tenant_erased=_BILLS,
        ),
        "slugs": CatalogEntry(
            "the short names of the organization, now and earlier",
            columns(internal="tenant_id", organization="slug", fact="created_at"),
            section="slugs",
            tenant_erased=_BILLS,  # so nobody else can take the name
        ),
        "users": CatalogEntry(
            "the account",
            columns(
                internal="id tenant_id email_key version invited_by log_key merged_into",
                identity="public_id entra_object_id invited_object_id email display_name directory_name",
                fact="role pending_role invitation_ends_at auth_provider is_active first_sign_in_at last_sign_in_at "
                "restricted_at objected_at consent_withdrawn_at erased_at created_at updated_at",
            ),
            section="account",
            of=("id",),
            tenant_erased=_BILLS,
        ),
        "notices": CatalogEntry(
            "notices for the organization's people",
            columns(
                internal="id tenant_id subject_user_id actor_id",
                fact="public_id at kind audience details",
            ),
            section="notices",
            of=("subject_user_id",),
            by=("actor_id",),
        ),
        "notice_views": CatalogEntry(
            "views and dismissals of notices",
            columns(internal="tenant_id notice_id user_id", fact="seen_at dismissed_at"),
            section="noticeViews",
            of=("user_id",),
            person_erased=RowAction.DELETE,
        ),
        "user_months": CatalogEntry(
            "the first and last sign-in of each month, and on a paid plan",
            columns(
                internal="tenant_id user_id",
                fact="month_key first_sign_in_at last_sign_in_at first_paid_sign_in_at last_paid_sign_in_at",
            ),
            section="signIns",
            of=("user_id",),
        ),
        "organizations": CatalogEntry(
            "the Azure DevOps organizations",
            columns(internal="id tenant_id name_key", fact="public_id is_active created_at", organization="name"),
            section="organizations",
        ),
        "projects": CatalogEntry(
            "the organization's projects",
            columns(
                internal="id tenant_id organization_id name_key alias_of joined_to",
                fact="public_id",
                organization="organization name",
            ),
            section="projects",
        ),
        "running_timers": CatalogEntry(
            "the running timer",
            columns(
                internal="id tenant_id user_id organization_id project_id",
                fact="public_id work_item_id started_at existing_hours",
                organization="organization project",
                words="note",
            ),
            section="runningTimer",
            of=("user_id",),
            at="started_at",
        ),
        "time_entries": CatalogEntry(
            "the time entries",
            columns(
                internal="id tenant_id user_id project_id",
                fact="public_id work_item_id started_at stopped_at elapsed_ms time_zone existing_hours source "
                "needs_review end_inferred version created_at updated_at",
                words="note",
            ),
            section="timeEntries",
            of=("user_id",),
            at="started_at",
        ),
        "time_entry_days": CatalogEntry(
            "the entries day by day",
            columns(
                internal="tenant_id entry_id user_id project_id month_key starts_entry",
                fact="work_date work_item_id elapsed_ms",
            ),
            section="days",
            of=("user_id",),
        ),
        "timer_log": CatalogEntry(
            "every start, change, stop and correction",
            columns(
                internal="id tenant_id user_id actor_id project_id",
                fact="timer_id event entry_version happened_at received_at reported_late work_item_id elapsed_ms "
                "is_adjustment",
                words="reason",
                version="before_change after_change",
            ),
            section="timerLog",
            of=("user_id",),
            by=("actor_id",),
            at="happened_at",
        ),
        "closed_months": CatalogEntry(
            "the billed months",
            columns(internal="tenant_id", fact="month_key closed_at"),
            section="closedMonths",
            tenant_erased=_BILLS,
        ),
        "work_items": CatalogEntry(
            "the work items as last read from Azure DevOps",
            columns(
                internal="id tenant_id organization_id organization_key",
                fact="work_item_id type state fetched_at",
                organization="project",
                copy="title assignee_name",
            ),
            section="workItems",
        ),
        "work_item_readers": CatalogEntry(
            "readings of work items, by person and day",
            columns(internal="tenant_id user_id organization_id", fact="work_item_id read_on"),
            section="workItemsRead",
            of=("user_id",),
            own_only=True,
            person_erased=RowAction.DELETE,
        ),
        "favorites": CatalogEntry(
            "favorite work items, in order",
            columns(internal="tenant_id user_id organization_id", fact="work_item_id position"),
            section="favorites",
            of=("user_id",),
            own_only=True,
            person_erased=RowAction.DELETE,
        ),
        "write_back_changes": CatalogEntry(
            "changes of entries to the hours of work items",
            columns(
                internal="id tenant_id organization_id held batch",
                fact="public_id entry_id work_item_id delta_ms created_at",
            ),
            section="writeBackChanges",
        ),
        "write_back_items": CatalogEntry(
            "the hours written to work items",
            columns(
                internal="id tenant_id organization_id migrated lowest short_batch last_batch settled_batch "
                "last_attempt last_revision checked_epoch claim_id claimed_until",
                fact="public_id work_item_id target_ms written short last_seen remaining_taken state reason updated_at",
            ),
            section="writeBackItems",
        ),
        "write_back_attempts": CatalogEntry(
            "each write of hours to a work item",
            columns(
                internal="id tenant_id item_id short_after batch legacy_mark",
                fact="number revision hours_before hours_after remaining_before remaining_after state created_at",
            ),
            section="writeBackAttempts",
        ),
        "audit_log": CatalogEntry(
            "changes and their authors",
            columns(
                internal="id tenant_id actor_id subject_user_id operator_id",
                fact="public_id at actor_kind action before_change after_change",
            ),
            section="audit",
            of=("subject_user_id",),
            by=("actor_id",),
            tenant_erased=RowAction.KEEP,
        ),
        "action_log": CatalogEntry(
            "actions in the product, with their page",
            columns(internal="id tenant_id user_id row_key", fact="action_type happened_at", words="page"),
            section="actions",
            of=("user_id",),
        ),
        "idempotency_keys": CatalogEntry(
            "responses stored for two days",
            columns(
                internal="id tenant_id user_id operation idempotency_key fingerprint status created_at",
                answer="headers body",
            ),
            of=("user_id",),
            person_erased=RowAction.DELETE,
        ),
        "purchase_requests": CatalogEntry(
            "purchases with an approval by another person than the buyer",
            columns(
                internal="id tenant_id buyer_id decider_id",
                fact="marketplace_id state offer_id plan_id quantity term_unit requested_at decided_at",
            ),
            section="purchaseRequests",
            of=("buyer_id",),
            by=("decider_id",),
        ),
        "subscriptions": CatalogEntry(
            "the subscriptions of the organization",
            columns(
                internal="id tenant_id version billing_contact_id",
                fact="marketplace_id status offer_id plan_id quantity term_unit term_starts_at term_ends_at auto_renew "
                "is_free_trial free_trial_ends_at paid_from ended_at last_event_at replaces_agreement replaced_trial "
                "created_at updated_at",
            ),
            section="subscriptions",
            tenant_erased=_BILLS,
        ),
        "subscription_events": CatalogEntry(
            "the events of the subscriptions",
            columns(
                internal="id tenant_id subscription_id",
                fact="operation_id event_type source outcome plan_id quantity status effective_at recorded_at",
            ),
            section="subscriptionEvents",
            tenant_erased=_BILLS,
        ),
        "subscription_rates": CatalogEntry(
            "the rates per user",
            columns(
                internal="tenant_id subscription_id",
                fact="from_at plan_id rate_per_user currency rate_unit included_users included_unit",
            ),
            section="rates",
            tenant_erased=_BILLS,
        ),
        "billing_records": CatalogEntry(
            "the bills",
            columns(
                internal="id tenant_id subscription_id replaces_id",
                fact="public_id month_key kind state period_from period_to time_zone marketplace_id plan_id quantity "
                "active_users included_users rate_per_user rate_unit currency minor_unit total last_event_type "
                "last_operation_id closed_at voided_at",
                mentions="void_reason",
            ),
            section="billingRecords",
            at="closed_at",
            tenant_erased=_BILLS,
        ),
        "billing_lines": CatalogEntry(
            "the bills' lines, one for each active user",
            columns(
                internal="tenant_id record_id user_id",
                identity="email display_name",
                fact="activity_month reason first_activity_at last_activity_at is_void",
            ),
            section="bills",
            of=("user_id",),
            tenant_erased=_BILLS,
        ),
        "usage_events": CatalogEntry(
            "the usage of a bill reported to the Marketplace",
            columns(
                internal="id tenant_id record_id claimed_until",
                fact="marketplace_id dimension quantity plan_id slot state last_result attempts usage_event_id "
                "created_at tried_at settled_at",
            ),
            section="usageEvents",
            tenant_erased=_BILLS,
        ),
        "adopted_usage": CatalogEntry(
            "usage that the Marketplace had at the restore of a backup",
            columns(
                internal="id tenant_id",
                fact="marketplace_id dimension day quantity plan_id month_key adopted_at",
            ),
            section="adoptedUsage",
            tenant_erased=_BILLS,
        ),
        "landing_visits": CatalogEntry(
            "visits to the landing page, for minutes",
            columns(
                internal="id public_id browser_hash state_hash purchase_token verifier nonce marketplace_id "
                "entra_tenant_id is_guest taken_at activated_at expires_at created_at",
                identity="entra_object_id name username email",
            ),
            person_erased=RowAction.DELETE,
        ),
        "privacy_requests": CatalogEntry(
            "erasure requests",
            columns(
                internal="id tenant_id subject_user_id requested_by version",
                fact="public_id kind channel state hold_reason requested_at due_at verified_at scheduled_for ended_at",
            ),
            section="erasureRequests",
            of=("subject_user_id",),
            tenant_erased=RowAction.KEEP,
        ),
        "erasures": CatalogEntry(
            "erasures, to repeat in a restored backup",
            columns(internal="id tenant_id subject_id erased_at"),
            tenant_erased=RowAction.KEEP,
        ),
        "kept_mentions": CatalogEntry(
            "mentions that stay at an erasure, by decision of a super admin",
            columns(internal="id tenant_id subject_user_id table_name row_id kept_by kept_at"),
            of=("subject_user_id",),
            by=("kept_by",),
            person_erased=RowAction.DELETE,
        ),
        "damaged_documents": CatalogEntry(
            "log rows damaged by erasures of earlier versions",
            columns(internal="id tenant_id table_name row_id found_at"),
        ),
        "restore_changes": CatalogEntry(
            "erasures and rights pending for the restore store, for minutes",
            columns(internal="id tenant_id public_id kind subject_id in_force at"),
            tenant_erased=RowAction.KEEP,
        ),
        "installation": CatalogEntry(
            "the state of this installation, to detect a restored backup",
            columns(
                internal="id public_id mark epoch moved_at held_since held_reason restored_to accepted_at",
            ),
            tenant_erased=RowAction.KEEP,
        ),
        "nominees": CatalogEntry(
            "the nominee of a person",
            columns(internal="tenant_id user_id", fact="named_at", identity="name contact"),
            section="nominee",
            of=("user_id",),
            person_erased=RowAction.DELETE,
            own_only=True,
        ),
    }
)
