import datetime as dt
import os
from decimal import Decimal

import pytest

from shared import clock
from tests.support.commands import Terminal, wait_for_result


PAID = ("paid", "--rate", "4.50", "--currency", "EUR")


def test_an_extended_trial_ends_later_by_the_days_and_is_audited(ops, tenant_rows, slug):
    before = tenant_rows.tenant(slug)
    done = ops("tenants", "extend-trial", slug, "--days", "14", "--yes", "--json")
    after = tenant_rows.tenant(slug)
    (row,) = tenant_rows.audit(slug, "trial.extended")

    assert (done.code, done.json["changed"]) == (0, True)
    assert after["trial_ends_at"] == before["trial_ends_at"] + dt.timedelta(days=14)
    assert after["version"] == before["version"] + 1
    assert (row["actor_kind"], row["actor_id"]) == ("operator", None)
    assert row["before_change"] == done.json["before"]
    assert row["after_change"] == done.json["after"]
    assert row["before_change"]["trialEndsAt"] != row["after_change"]["trialEndsAt"]


def test_a_trial_that_is_over_is_extended_from_now(ops, tenant_rows, slug):
    tenant_rows.set(slug, trial_ends_at=clock.now() - dt.timedelta(days=90))
    earliest = clock.now() + dt.timedelta(days=7)
    ops("tenants", "extend-trial", slug, "--days", "7", "--yes")

    assert earliest <= tenant_rows.tenant(slug)["trial_ends_at"] <= clock.now() + dt.timedelta(days=7)


@pytest.mark.parametrize("days", ["0", "91", "-3", "many"])
def test_a_trial_is_extended_by_1_to_90_days(wrong_usage, days):
    assert "--days" in wrong_usage("tenants", "extend-trial", "whoever", "--days", days, "--yes")


def test_only_a_trial_is_extended(ops, tenant_rows, slug):
    ops("tenants", "set-plan", slug, *PAID, "--yes")
    refused = ops("tenants", "extend-trial", slug, "--days", "7", "--yes")

    assert refused.code == 1
    assert refused.message == f"ops: {slug} is on the paid plan; only a trial can be extended"
    assert tenant_rows.audit(slug, "trial.extended") == []


def test_a_paid_plan_has_its_rate_its_seats_and_the_users_at_purchase(ops, tenant_rows, world, admin, slug):
    world.member(admin)
    tenant_rows.set(slug, status="suspended")
    done = ops("tenants", "set-plan", slug, *PAID, "--seats", "10", "--yes")
    tenant = tenant_rows.tenant(slug)
    (row,) = tenant_rows.audit(slug, "plan.changed")

    assert done.code == 0
    assert (tenant["plan_kind"], tenant["status"]) == ("paid", "active")
    assert (tenant["rate_per_user"], tenant["currency"], tenant["seat_limit"]) == (Decimal("4.5"), "EUR", 10)
    assert tenant["users_at_purchase"] == 2
    assert row["actor_kind"] == "operator"
    assert row["before_change"] == {
        "plan": "trial",
        "status": "suspended",
        "ratePerUser": None,
        "currency": None,
        "seatLimit": None,
    }
    assert row["after_change"] == {
        "plan": "paid",
        "status": "active",
        "ratePerUser": "4.50",
        "currency": "EUR",
        "seatLimit": 10,
    }


def test_another_rate_is_no_new_purchase_and_keeps_the_seats(ops, tenant_rows, world, admin, slug):
    ops("tenants", "set-plan", slug, *PAID, "--seats", "10", "--yes")
    world.member(admin)
    ops("tenants", "set-plan", slug, "paid", "--rate", "0.0001", "--currency", "usd", "--yes")
    tenant = tenant_rows.tenant(slug)

    assert (tenant["rate_per_user"], tenant["currency"]) == (Decimal("0.0001"), "USD")
    assert (tenant["seat_limit"], tenant["users_at_purchase"]) == (10, 1)


def test_the_internal_plan_has_neither_rate_nor_seats(ops, tenant_rows, slug):
    ops("tenants", "set-plan", slug, *PAID, "--seats", "10", "--yes")
    ops("tenants", "set-plan", slug, "internal", "--yes")
    tenant = tenant_rows.tenant(slug)

    assert tenant["plan_kind"] == "internal"
    assert (tenant["rate_per_user"], tenant["currency"], tenant["seat_limit"]) == (None, None, None)


def test_a_tenant_back_on_its_trial_does_not_get_another(ops, tenant_rows, slug):
    over = clock.now() - dt.timedelta(days=1)
    tenant_rows.set(slug, trial_ends_at=over)
    ops("tenants", "set-plan", slug, *PAID, "--yes")
    done = ops("tenants", "set-plan", slug, "trial", "--yes")

    assert tenant_rows.tenant(slug)["trial_ends_at"] == over
    assert "The trial is over; to reactivate it: ops tenants extend-trial" in done.err


def test_a_tenant_that_never_had_a_trial_gets_one_that_ends(ops, tenant_rows, slug):
    tenant_rows.set(slug, plan_kind="internal", trial_started_at=None, trial_ends_at=None)
    ops("tenants", "set-plan", slug, "trial", "--yes", TRIAL_DAYS="10")
    tenant = tenant_rows.tenant(slug)

    assert tenant["trial_ends_at"] - tenant["trial_started_at"] == dt.timedelta(days=10)


def test_fewer_seats_than_enabled_accounts_are_rejected_with_both_numbers(ops, tenant_rows, world, admin, slug):
    world.member(admin)
    before = tenant_rows.tenant(slug)
    refused = ops("tenants", "set-plan", slug, *PAID, "--seats", "1", "--yes")

    assert refused.code == 1
    assert f"{slug} has 2 enabled accounts, and the plan allows 1" in refused.message
    assert tenant_rows.tenant(slug) == before
    assert tenant_rows.audit(slug, "plan.changed") == []


def test_a_trial_too_small_for_the_enabled_accounts_is_rejected(ops, world, admin, slug):
    ops("tenants", "set-plan", slug, "internal", "--yes")
    world.member(admin)
    refused = ops("tenants", "set-plan", slug, "trial", "--yes", TRIAL_USER_LIMIT="1")

    assert refused.code == 1
    assert "has 2 enabled accounts, and the plan allows 1" in refused.message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("paid",), "needs --rate and --currency"),
        (("paid", "--rate", "4.50"), "needs --rate and --currency"),
        (("paid", "--rate", "4.50001", "--currency", "EUR"), "at most four decimal places"),
        (("paid", "--rate", "-1", "--currency", "EUR"), "is not a price"),
        (("paid", "--rate", "NaN", "--currency", "EUR"), "is not a price"),
        (("paid", "--rate", "4,50", "--currency", "EUR"), "is not a price"),
        (("paid", "--rate", "\u0664", "--currency", "EUR"), "is not a price"),
        (("paid", "--rate", "4", "--currency", "EURO"), "three letters"),
        (("paid", "--rate", "4", "--currency", "EUR", "--seats", "few"), "a number, or none"),
        (("paid", "--rate", "4", "--currency", "EUR", "--seats", "-1"), "a number, or none"),
        (("trial", "--rate", "4"), "has no rate, currency or seats"),
        (("internal", "--seats", "none"), "has no rate, currency or seats"),
        (("gold",), "'gold' is not one of"),
    ],
)
def test_a_wrong_term_is_a_one_line_error_with_the_expected_form(wrong_usage, arguments, expected):
    assert expected in wrong_usage("tenants", "set-plan", "whoever", *arguments, "--yes")


def test_the_same_terms_again_change_nothing(ops, tenant_rows, slug):
    ops("tenants", "set-plan", slug, *PAID, "--yes")
    before = tenant_rows.tenant(slug)
    again = ops("tenants", "set-plan", slug, *PAID, "--yes", "--json")

    assert (again.code, again.json["changed"]) == (0, False)
    assert tenant_rows.tenant(slug) == before
    assert len(tenant_rows.audit(slug, "plan.changed")) == 1


def test_a_dry_run_shows_and_changes_nothing(ops, tenant_rows, slug):
    before = tenant_rows.tenant(slug)
    dry = ops("tenants", "set-plan", slug, *PAID, "--dry-run", "--yes", "--json")

    assert (dry.code, dry.json["changed"], dry.json["after"]["plan"]) == (0, False, "paid")
    assert tenant_rows.tenant(slug) == before
    assert tenant_rows.audit(slug, "plan.changed") == []


def test_nothing_is_changed_without_a_terminal_or_yes(ops, tenant_rows, slug):
    before = tenant_rows.tenant(slug)
    refused = ops("tenants", "set-plan", slug, *PAID)

    assert refused.code == 2
    assert "there is no terminal to confirm on" in refused.err
    assert tenant_rows.tenant(slug) == before


@pytest.mark.parametrize(("answer", "outcome"), [("y", (0, "paid")), ("n", (1, "trial")), ("", (1, "trial"))])
def test_the_operator_sees_before_and_after_and_confirms(ops, tenant_rows, slug, answer, outcome):
    done = ops("tenants", "set-plan", slug, *PAID, stdin=Terminal(answer))
    question, asked, _ = done.err.partition("[y/N] ")

    assert asked
    assert [line.split() for line in question.splitlines() if line.startswith("plan")] == [["plan", "trial", "paid"]]
    assert (done.code, tenant_rows.tenant(slug)["plan_kind"]) == outcome


@pytest.fixture
def terminal():
    """Both ends of a terminal: the keyboard, and the standard input of a process."""
    ends = os.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_the_question_is_asked_on_a_real_terminal(ops, tenant_rows, slug, terminal):
    keyboard, theirs = terminal
    with ops.start("tenants", "set-plan", slug, *PAID, stdin=theirs) as process:
        try:
            shown = ""
            while not shown.endswith("[y/N] "):
                letter = process.stderr.read(1)
                assert letter, shown
                shown += letter
            os.write(keyboard, b"y\n")
            done = wait_for_result(process)
        finally:
            process.kill()

    assert (done.code, tenant_rows.tenant(slug)["plan_kind"]) == (0, "paid")


def test_a_concurrent_change_is_not_overwritten(ops, tenant_rows, slug):
    between = []

    def extend():
        ops("tenants", "extend-trial", slug, "--days", "9", "--yes")
        between.append(tenant_rows.tenant(slug))

    done = ops("tenants", "set-plan", slug, *PAID, stdin=Terminal("y", meanwhile=extend))

    assert done.code == 1
    assert f"{slug} was modified concurrently; nothing was changed" in done.after_answer
    assert between == [tenant_rows.tenant(slug)]
    assert tenant_rows.audit(slug, "plan.changed") == []


def test_a_seat_added_concurrently_counts_against_the_new_limit(ops, tenant_rows, world, admin, slug):
    somebody_comes = Terminal("y", meanwhile=lambda: world.member(admin))
    done = ops("tenants", "set-plan", slug, *PAID, "--seats", "1", stdin=somebody_comes)

    assert done.code == 1
    assert "has 2 enabled accounts, and the plan allows 1" in done.after_answer
    assert tenant_rows.tenant(slug)["plan_kind"] == "trial"


def test_each_success_of_concurrent_operators_is_audited(ops, tenant_rows, slug):
    version = tenant_rows.tenant(slug)["version"]
    racing = [
        ops.start("tenants", "set-plan", slug, "paid", "--rate", str(rate), "--currency", "EUR", "--yes")
        for rate in range(1, 4)
    ]
    done = [wait_for_result(each) for each in racing]
    codes = [each.code for each in done]
    rows = tenant_rows.audit(slug, "plan.changed")

    assert set(codes) <= {0, 1}, done
    assert len(rows) == codes.count(0) >= 1
    assert tenant_rows.tenant(slug)["version"] == version + codes.count(0)
    assert [row["before_change"].get("ratePerUser") for row in rows[1:]] == [
        row["after_change"]["ratePerUser"] for row in rows[:-1]
    ]


def test_a_trial_that_ended_yesterday_is_expired_before_and_after_the_job(ops, tenant_rows, slug):
    tenant_rows.set(slug, trial_ends_at=clock.now() - dt.timedelta(days=1))
    shown = ops("tenants", "show", slug, "--json").json["status"]
    again = ops("tenants", "set-plan", slug, "trial", "--yes")
    tenant_rows.set(slug, status="expired")
    extended = ops("tenants", "extend-trial", slug, "--days", "7", "--yes", "--json")

    assert shown == "expired"
    assert "has these values already" in again.err
    assert (extended.json["before"]["status"], extended.json["after"]["status"]) == ("expired", "active")
    assert tenant_rows.tenant(slug)["status"] == "active"
