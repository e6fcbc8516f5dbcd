"""Closed months with their active users and totals, on both databases."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from billing.closing import record_store, service
from billing.closing.model import NotVoidable
from billing.closing.service import Closing
from billing.subscriptions import store as subscription_store
from billing.subscriptions.model import Price, SubscriptionStatus
from shared.db.schema import usage_events, users
from tests.support.paying_tenants import DIMENSION, FOUR_FIFTY, PayingTenant, at
from tests.support.record_protection import unprotected_records


JAN, FEB, MAR, APR, MAY = (at(f"2026-{month:02}-01") for month in (1, 2, 3, 4, 5))
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    return PayingTenant.create(engine)


def price(rate, currency="EUR"):
    return Price(Decimal(rate), currency)


def test_a_month_is_closed_after_its_end_and_not_before(payer):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-10T09:00"))
    too_early = payer.close(at("2026-01-31T23:59:59.999"))
    [record] = payer.close(FEB)

    assert too_early == []
    assert (record.period.month.key, record.period.kind) == (202601, "month")
    assert (record.period.starts_at, record.period.ends_at) == (JAN, FEB)
    assert (record.active_users, record.total) == (1, Decimal("4.50"))
    assert payer.closed_months() == [202601]


def test_signing_in_or_tracking_time_makes_an_active_user_with_a_line(payer):
    payer.subscribe(JAN)
    ada, ben, chloe = payer.people
    payer.sign_in(ada, at("2026-01-10T09:00"))
    payer.sign_in(ada, at("2026-01-20T09:00"))
    payer.add_time(ben, at("2026-01-12T10:00"), at("2026-01-12T10:00:00.001"))
    payer.sign_in(chloe, at("2026-01-05T08:00"))
    payer.add_time(chloe, at("2026-01-07T10:00"), at("2026-01-07T12:00"))
    payer.add_time(chloe, at("2026-01-06T10:00"), at("2026-01-06T12:00"))
    payer.close(FEB)

    lines = [(line.user_id, line.reason, line.first_activity_at, line.last_activity_at) for line in payer.lines()]
    assert lines == [
        (ada, "signIn", at("2026-01-10T09:00"), at("2026-01-20T09:00")),
        (ben, "time", at("2026-01-12T10:00"), at("2026-01-12T10:00:00.001")),
        (chloe, "time", at("2026-01-05T08:00"), at("2026-01-07T12:00")),
    ]
    assert {line.email for line in payer.lines()} == {f"p{number}@contoso.example" for number in range(3)}


def test_an_invited_person_without_a_sign_in_is_not_counted(payer):
    payer.subscribe(JAN)
    payer.add_person(at("2026-01-15"))
    [record] = payer.close(FEB)

    assert record.active_users == 0


def test_an_entry_of_no_length_makes_nobody_active(payer):
    payer.subscribe(JAN)
    payer.add_time(payer.people[0], at("2026-01-12T10:00"), at("2026-01-12T10:00"))

    assert payer.close(FEB)[0].active_users == 0


def test_a_backdated_entry_counts_in_the_month_of_the_work_if_open(payer):
    payer.subscribe(JAN)
    payer.add_time(payer.people[1], at("2026-01-02T10:00"), at("2026-01-02T11:00"), now=at("2026-01-31T20:00"))
    payer.close(FEB)

    assert payer.billed_people() == [(1, 202601)]


def test_time_entered_after_the_close_of_its_month_is_on_the_next_bill_once(payer):
    payer.subscribe(JAN)
    ada, ben, _ = payer.people
    payer.sign_in(ada, at("2026-01-10"))
    payer.close(FEB)
    payer.add_time(ada, at("2026-01-11T10:00"), at("2026-01-11T11:00"), now=at("2026-02-02"))
    payer.add_time(ben, at("2026-01-12T10:00"), at("2026-01-12T11:00"), now=at("2026-02-03"))
    [february] = payer.close(MAR)
    [march] = payer.close(APR)
    [late] = payer.lines(february)

    assert (late.user_id, late.activity_month, february.active_users) == (ben, 202601, 1)
    assert (late.first_activity_at, late.last_activity_at) == (at("2026-01-12T10:00"), at("2026-01-12T11:00"))
    assert february.total == Decimal("4.50")
    assert march.active_users == 0


def test_time_removed_before_the_close_is_not_billed_and_after_it_gives_no_credit(payer):
    payer.subscribe(JAN)
    ada, ben, _ = payer.people
    early = payer.add_time(ada, at("2026-01-12T10:00"), at("2026-01-12T11:00"))
    late = payer.add_time(ben, at("2026-01-12T10:00"), at("2026-01-12T11:00"))
    payer.remove(early, at("2026-01-20"))
    [january] = payer.close(FEB)
    payer.remove(late, at("2026-02-02"))
    [february] = payer.close(MAR)

    assert payer.billed_people(january) == [(1, 202601)]
    assert (january.active_users, february.active_users) == (1, 0)


def test_a_user_deactivated_in_the_month_counts_in_full_and_not_in_the_next(payer, engine):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[1], at("2026-01-02"))
    with engine.begin() as tx:
        tx.execute(users.update().where(users.c.id == payer.people[1]).values(is_active=False))
    payer.change(seats_used=2)
    [january] = payer.close(FEB)
    [february] = payer.close(MAR)

    assert (january.total, february.total) == (Decimal("4.50"), Decimal(0))


def test_a_person_with_a_new_address_counts_once_and_a_bill_keeps_the_old_address(payer, engine):
    payer.subscribe(JAN)
    ada = payer.people[0]
    payer.sign_in(ada, at("2026-01-02"))
    payer.add_time(ada, at("2026-01-03T10:00"), at("2026-01-03T11:00"))
    payer.add_time(ada, at("2026-01-04T10:00"), at("2026-01-04T11:00"))
    payer.close(FEB)
    with engine.begin() as tx:
        tx.execute(users.update().where(users.c.id == ada).values(email="erased", display_name="Erased"))
    payer.sign_in(ada, at("2026-02-02"))
    payer.close(MAR)

    assert [(line.activity_month, line.email) for line in payer.lines()] == [
        (202601, "p0@contoso.example"),
        (202602, "erased"),
    ]


def test_a_rate_changed_within_a_month_counts_from_the_next(payer):
    subscription = payer.subscribe(JAN, price("5"))
    for month in ("01", "02", "03"):
        payer.sign_in(payer.people[0], at(f"2026-{month}-20"))
    payer.set_price(subscription, price("9"), at("2026-01-15"))
    payer.set_price(subscription, price("3"), FEB + dt.timedelta(milliseconds=1))
    records = payer.close(APR)

    assert [record.total for record in records] == [Decimal(5), Decimal(9), Decimal(3)]


def test_a_rate_from_the_first_instant_of_a_month_is_its_rate(payer):
    subscription = payer.subscribe(JAN, price("5"))
    payer.set_price(subscription, price("6"), FEB)
    payer.sign_in(payer.people[0], at("2026-02-20"))

    assert [record.total for record in payer.close(MAR)] == [Decimal(0), Decimal(6)]


@pytest.mark.parametrize(
    ("rate", "currency", "people", "total"),
    [
        ("0", "EUR", 3, "0"),
        ("0.0001", "EUR", 3, "0"),
        ("1.0050", "EUR", 1, "1.01"),
        ("4.3335", "USD", 3, "13.00"),
        ("0.5", "JPY", 1, "1"),
        ("0.1665", "KWD", 3, "0.5"),
        ("0.1235", "KWD", 1, "0.124"),
    ],
)
def test_a_total_is_rounded_once_half_up_to_the_minor_unit_of_its_currency(payer, rate, currency, people, total):
    payer.subscribe(JAN, price(rate, currency))
    for user in payer.people[:people]:
        payer.sign_in(user, at("2026-01-02"))
    [record] = payer.close(FEB)
    [row] = payer.records()

    assert record.total == row.total == Decimal(total)
    assert (row.rate_per_user, row.currency) == (Decimal(rate), currency)


def test_the_database_refuses_a_wrong_total(payer, engine):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-02"))
    [record] = payer.close(FEB)
    for wrong in ("4.49", "4.51", "0", "450"):
        change = sa.text("UPDATE billing_records SET total = :wrong WHERE id = :id")
        scaled = int(Decimal(wrong) * 10_000) if engine.dialect.name == "sqlite" else Decimal(wrong)
        with pytest.raises(sa.exc.IntegrityError, match="ck_billing_records_total"), unprotected_records(engine) as tx:
            tx.execute(change, {"wrong": scaled, "id": record.id})


def test_a_purchase_within_a_month_bills_only_later_activity(payer):
    bought = at("2026-01-15T12:00")
    ada, ben, chloe = payer.people
    dora, emil = payer.add_person(JAN), payer.add_person(JAN)
    payer.sign_in(ada, bought - HOUR)
    payer.sign_in(ben, bought - HOUR)
    payer.subscribe(bought)
    payer.sign_in(ben, bought)
    payer.add_time(chloe, bought - 2 * HOUR, bought)
    payer.add_time(dora, bought - HOUR, bought + HOUR)
    payer.add_time(emil, bought + HOUR, bought + 2 * HOUR)
    [record] = payer.close(FEB)

    assert payer.billed_people() == [(1, 202601), (3, 202601), (4, 202601)]
    assert (record.period.starts_at, record.total) == (bought, Decimal("13.50"))
    assert [line.first_activity_at for line in payer.lines()] == [bought, bought, bought + HOUR]


def test_late_time_from_before_the_purchase_is_not_billed(payer):
    bought = at("2026-01-15T12:00")
    payer.subscribe(bought)
    payer.close(FEB)
    payer.add_time(payer.people[0], bought - 3 * HOUR, bought - HOUR, now=at("2026-02-02"))
    payer.add_time(payer.people[1], bought - 40 * 24 * HOUR, bought - 39 * 24 * HOUR, now=at("2026-02-02"))

    assert payer.close(MAR)[0].active_users == 0


def test_time_entered_after_the_final_bill_is_billed_only_by_its_replacement(payer):
    [final] = payer.end_subscription(payer.subscribe(JAN), at("2026-01-10"))
    payer.subscribe(at("2026-01-20"))
    payer.add_time(payer.people[0], at("2026-01-05T09:00"), at("2026-01-05T10:00"), now=at("2026-01-25"))
    following = [record.active_users for end in (FEB, MAR) for record in payer.close(end)]
    replaced = payer.void(final, MAR, is_replaced=True)

    assert following == [0, 0]
    assert replaced.active_users == 1


def test_only_a_void_record_is_replaced_and_only_once(payer):
    payer.subscribe(JAN)
    [record] = payer.close(FEB)
    with pytest.raises(NotVoidable, match="only a void record"):
        payer.replace(record, FEB)
    again = payer.void(record, FEB, is_replaced=True)
    with pytest.raises(NotVoidable, match="nothing replaces yet"):
        payer.replace(record, FEB)

    assert [row.state for row in payer.records()] == ["void", "closed"]
    assert [row.after_change["month"] for row in payer.audit("bill.closed")] == ["2026-01"] * 2
    assert again.replaces_id == record.id


def test_internal_and_trial_tenants_have_no_bill(payer):
    payer.sign_in(payer.people[0], at("2026-01-02"))
    on_trial = payer.close(MAR)
    payer.subscribe(JAN)
    payer.change(plan_kind="internal")

    assert on_trial == payer.close(MAR) == []
    assert payer.preview(MAR) is None


def test_a_suspended_tenant_is_billed_for_the_work_before(payer):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-02"))
    payer.change(status="suspended")

    assert [record.total for record in payer.close(FEB)] == [Decimal("4.50")]


def test_a_cancellation_closes_the_running_month_at_once_up_to_its_instant(payer):
    subscription = payer.subscribe(JAN)
    ended = at("2026-02-10T15:30")
    ada, ben, chloe = payer.people
    payer.sign_in(ada, at("2026-01-05"))
    payer.sign_in(ada, at("2026-02-05"))
    payer.add_time(ben, ended - HOUR, ended + HOUR, now=ended)
    payer.add_time(chloe, ended, ended + HOUR, now=ended)
    january, final = payer.end_subscription(subscription, ended)
    closed_then = payer.closed_months()
    again = payer.close(at("2026-02-10T16:05"))
    payer.close(MAR)
    [row] = [row for row in payer.records() if row.kind == "final"]

    assert (january.period.month.key, january.period.kind, january.active_users) == (202601, "month", 1)
    assert (final.period.starts_at, final.period.ends_at) == (FEB, ended)
    assert payer.billed_people(final) == [(0, 202602), (1, 202602)]
    assert payer.lines(final)[1].last_activity_at == ended
    assert (row.last_event_type, row.last_operation_id is None) == ("Unsubscribe", False)
    assert (closed_then, again, payer.closed_months()) == ([], [], [202601, 202602])
    assert payer.close(APR) == []


def test_a_second_purchase_in_a_month_bills_nobody_twice(payer):
    first = payer.subscribe(JAN)
    ada, ben, _ = payer.people
    payer.sign_in(ada, at("2026-01-05"))
    [final] = payer.end_subscription(first, at("2026-01-10"))
    payer.subscribe(at("2026-01-20"))
    payer.sign_in(ada, at("2026-01-25"))
    payer.sign_in(ben, at("2026-01-25"))
    [second] = payer.close(FEB)

    assert payer.billed_people(final) == [(0, 202601)]
    assert payer.billed_people(second) == [(1, 202601)]
    assert final.total + second.total == Decimal("9.00")
    assert payer.closed_months() == [202601]


def test_a_cancellation_in_the_month_of_the_purchase_has_one_final_bill(payer):
    subscription = payer.subscribe(at("2026-01-10"))
    payer.sign_in(payer.people[0], at("2026-01-11"))
    [final] = payer.end_subscription(subscription, at("2026-01-12"))

    assert (final.period.kind, final.active_users) == ("final", 1)
    assert payer.close(APR) == []


def test_a_cancellation_at_the_end_of_a_month_is_final_in_that_month(payer):
    subscription = payer.subscribe(JAN)
    [final] = payer.end_subscription(subscription, FEB)

    assert (final.period.month.key, final.period.kind, final.period.ends_at) == (202601, "final", FEB)
    assert payer.close(APR) == []


def test_a_cancellation_received_after_the_close_of_its_month_changes_no_bill(payer):
    subscription = payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-20"))
    [january] = payer.close(FEB)

    assert payer.end_subscription(subscription, at("2026-01-15"), now=at("2026-02-02")) == []
    replacement = payer.void(january, at("2026-02-02"), is_replaced=True)
    assert (replacement.period.kind, replacement.period.ends_at, replacement.active_users) == (
        "final",
        at("2026-01-15"),
        0,
    )
    assert payer.close(APR) == []


def test_work_across_the_end_of_a_month_counts_in_both(payer):
    payer.subscribe(JAN)
    payer.add_time(payer.people[0], FEB - HOUR, FEB + HOUR)
    payer.close(MAR)

    assert payer.billed_people() == [(0, 202601), (0, 202602)]
    assert [line.last_activity_at for line in payer.lines()] == [FEB, FEB + HOUR]


def test_a_timer_running_over_the_close_counts_when_stopped(payer):
    payer.subscribe(JAN)
    [january] = payer.close(FEB + HOUR)
    payer.add_time(payer.people[0], FEB - HOUR, FEB + 2 * HOUR)
    [february] = payer.close(MAR)

    assert january.active_users == 0
    assert payer.billed_people(february) == [(0, 202601), (0, 202602)]


def test_a_start_moved_into_a_billed_month_counts_on_the_next_bill(payer):
    payer.subscribe(JAN)
    payer.start_timer(payer.people[0], FEB + HOUR / 4)
    [january] = payer.close(FEB + HOUR / 3)
    payer.move_start(payer.people[0], FEB - HOUR, FEB + HOUR / 2)
    payer.stop_timer(payer.people[0], FEB + HOUR)
    [february] = payer.close(MAR)

    assert january.active_users == 0
    assert payer.billed_people(february) == [(0, 202601), (0, 202602)]


def test_a_start_moved_into_a_month_before_its_close_counts_on_its_bill(payer):
    payer.subscribe(JAN)
    payer.start_timer(payer.people[0], FEB + HOUR / 4)
    payer.move_start(payer.people[0], FEB - HOUR, FEB + HOUR / 3)
    [january] = payer.close(FEB + HOUR / 2)
    payer.stop_timer(payer.people[0], FEB + HOUR)
    [february] = payer.close(MAR)

    assert payer.billed_people(january) == [(0, 202601)]
    assert payer.billed_people(february) == [(0, 202602)]


def test_a_month_without_active_users_has_a_bill_of_zero_and_no_usage(payer):
    payer.subscribe(JAN)
    [record] = payer.close(FEB)

    assert (record.active_users, record.total) == (0, Decimal(0))
    assert (payer.lines(), payer.usage()) == ([], [])


def test_a_period_keeps_the_zone_of_its_beginning_and_months_are_adjacent(payer):
    payer.change(time_zone="Pacific/Kiritimati")
    payer.subscribe(JAN)
    payer.close(at("2026-01-31T10:00"))
    payer.set_zone("Pacific/Pago_Pago", at("2026-02-10"))
    payer.sign_in(payer.people[0], at("2026-02-28T10:30"))  # Kiritimati's March
    payer.close(at("2026-02-28T10:00"))
    payer.set_zone("UTC", at("2026-03-20"))
    payer.close(at("2026-04-01T11:00"))
    payer.close(MAY)
    records = payer.records()

    assert [record.period_from for record in records[1:]] == [record.period_to for record in records[:-1]]
    assert [record.period_to for record in records] == [
        at("2026-01-31T10:00"),
        at("2026-02-28T10:00"),
        at("2026-04-01T11:00"),
        MAY,
    ]
    assert payer.billed_people() == [(0, 202603)]
    zones = ["Pacific/Kiritimati", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"]
    assert [record.time_zone for record in records] == zones


def test_a_period_billed_again_keeps_its_zone(payer):
    payer.change(time_zone="Asia/Tokyo")
    payer.subscribe(JAN)
    payer.set_zone("UTC", at("2026-01-10"))
    [wrong] = payer.close(FEB)
    replacement = payer.void(wrong, FEB + HOUR, is_replaced=True)

    assert replacement is not None
    assert replacement.period == wrong.period
    assert (replacement.period.ends_at, replacement.period.time_zone) == (at("2026-01-31T15:00"), "Asia/Tokyo")


def test_the_open_month_has_the_zone_of_its_beginning(payer):
    payer.change(time_zone="Asia/Tokyo")
    payer.subscribe(JAN)
    payer.set_zone("UTC", at("2026-01-10"))
    bills = [payer.preview(at(text)) for text in ("2026-01-31T14:59", "2026-01-31T15:00")]

    assert [bill and (bill.period.month.key, bill.period.time_zone, bill.period.ends_at) for bill in bills] == [
        (202601, "Asia/Tokyo", at("2026-01-31T15:00")),
        (202602, "UTC", MAR),
    ]


@pytest.mark.parametrize(
    ("before", "after", "closed", "month"),
    [
        ("Pacific/Kiritimati", "Pacific/Midway", True, 202602),  # dated in January, which is closed
        ("Pacific/Midway", "Pacific/Kiritimati", False, 202601),  # in the January that began in Midway
        ("Pacific/Kiritimati", "Pacific/Midway", False, 202602),  # after the January that began in Kiritimati
    ],
)
def test_an_hour_is_billed_once_across_a_change_of_zone(app, engine, before, after, closed, month):  # noqa: ARG001, PLR0917 - fixtures
    payer = PayingTenant.create(engine, zone=before)
    payer.subscribe(at("2026-01-05"))
    if closed:
        payer.close(at("2026-01-31T10:30"))
        payer.set_zone(after, at("2026-01-31T11:00"))
    payer.sign_in(payer.people[0], at("2026-01-31T12:00"))
    payer.add_time(payer.people[0], at("2026-01-31T12:00"), at("2026-01-31T13:00"))
    payer.set_zone(after, at("2026-01-31T14:00"))
    payer.close(at("2026-02-02"))
    payer.close(at("2026-03-02"))

    assert payer.billed_people() == [(0, month)]


@pytest.fixture
def payer_with_sign_ins(payer):
    """A payer with a person who signed in on the trial and on the paid plan; its subscription and the end."""
    person, end = payer.people[0], at("2026-01-20T10:00")
    payer.sign_in(person, at("2026-01-02"))
    bought = payer.subscribe(at("2026-01-05"))
    payer.sign_in(person, at("2026-01-10"))
    return payer, bought, end


def test_a_sign_in_after_the_end_does_not_remove_a_user_from_a_replaced_bill(payer_with_sign_ins):
    payer, bought, end = payer_with_sign_ins
    [final] = payer.end_subscription(bought, end)
    payer.change(status="cancelled")
    payer.sign_in(payer.people[0], at("2026-01-25"))
    replacement = payer.void(final, at("2026-01-26"), is_replaced=True)

    assert (final.active_users, replacement.active_users) == (1, 1)
    assert (
        payer.lines(replacement)[0].first_activity_at
        == payer.lines(replacement)[0].last_activity_at
        == at("2026-01-10")
    )


def test_an_end_received_late_bills_users_with_sign_ins_before_and_after_it(payer_with_sign_ins):
    payer, bought, end = payer_with_sign_ins
    payer.sign_in(payer.people[0], end + HOUR)
    [final] = payer.end_subscription(bought, end, now=end + 2 * HOUR)

    assert final.active_users == 1


def test_sign_ins_outside_of_the_paid_time_are_on_no_bill(payer):
    person, end = payer.people[0], at("2026-01-20T10:00")
    payer.sign_in(person, at("2026-01-02"))
    bought = payer.subscribe(at("2026-01-05"))
    [final] = payer.end_subscription(bought, end)
    payer.change(status="cancelled")
    payer.sign_in(person, at("2026-01-25"))
    replacement = payer.void(final, at("2026-01-26"), is_replaced=True)

    assert (final.active_users, replacement.active_users) == (0, 0)


def test_as_of_an_instant_a_later_end_does_not_count(payer):
    bought = payer.subscribe(at("2025-12-10"))
    payer.sign_in(payer.people[0], at("2025-12-20"))
    with payer.engine.begin() as tx:
        terms = replace(bought.terms, status=SubscriptionStatus.UNSUBSCRIBED)
        ended = replace(bought, terms=terms, ended_at=at("2026-01-20"))
        assert subscription_store.change(tx, ended, now=at("2026-01-20"))
    with payer.engine.begin() as tx:
        early = service.close_tenant(payer.work(tx, at("2026-01-25")), Closing(DIMENSION, as_of=at("2026-01-10")))
    later = payer.close(at("2026-01-25"))

    assert [(str(record.period.month), record.period.kind) for record in early] == [("2025-12", "month")]
    assert [(str(record.period.month), record.period.kind) for record in later] == [("2026-01", "final")]


def test_a_record_has_the_purchase_and_the_last_event(payer):
    subscription = payer.subscribe(JAN, quantity=7)
    payer.close(FEB)
    [row] = payer.records()

    assert (row.plan_id, row.quantity, row.marketplace_id) == ("paid", 7, subscription.marketplace_id)
    assert (row.last_event_type, row.last_operation_id) == ("Activate", None)
    assert (row.closed_at, row.time_zone) == (FEB, "UTC")


def test_the_preview_equals_the_bill_of_the_month(payer):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], at("2026-01-05"))
    payer.close(FEB)
    payer.add_time(payer.people[1], at("2026-01-12T10:00"), at("2026-01-12T11:00"), now=at("2026-02-03"))
    payer.sign_in(payer.people[0], at("2026-02-05"))
    bill = payer.preview(at("2026-02-10"))
    [record] = payer.close(MAR)

    assert (bill.period.month.key, bill.period.starts_at, bill.period.ends_at) == (202602, FEB, MAR)
    assert (bill.active_users, bill.total) == (record.active_users, record.total) == (2, Decimal("9.00"))
    assert [(line.user_id, line.month.key) for line in bill.lines] == [
        (line.user_id, line.activity_month) for line in payer.lines(record)
    ]


def test_there_is_no_preview_without_a_paid_subscription(payer):
    nothing = payer.preview(FEB)
    subscription = payer.subscribe(JAN)
    payer.end_subscription(subscription, at("2026-01-15"))

    assert nothing is payer.preview(FEB) is None


@pytest.mark.parametrize("how", ["cancelled", "closed", "previewed"])
def test_a_running_timer_counts_as_time_up_to_the_end_of_the_bill(payer, how):
    bought, person = payer.subscribe(JAN), payer.people[0]
    payer.start_timer(person, FEB - HOUR)
    match how:
        case "cancelled":
            [record] = payer.end_subscription(bought, FEB - HOUR / 2)
            assert record.active_users == 1
            end = FEB - HOUR / 2
        case "closed":
            [record] = payer.close(FEB)
            assert record.active_users == 1
            end = FEB
        case _:
            [line] = payer.preview(FEB - HOUR / 4).lines
            assert (line.user_id, line.reason, line.first_at, line.last_at) == (
                *(person, "time"),
                *(FEB - HOUR, FEB - HOUR / 4),
            )
            return
    [line] = payer.lines(record)

    assert (line.user_id, line.reason) == (person, "time")
    assert (line.first_activity_at, line.last_activity_at) == (FEB - HOUR, end)


def test_a_timer_started_at_or_after_the_end_does_not_count(payer):
    bought = payer.subscribe(JAN)
    payer.start_timer(payer.people[1], FEB - HOUR)
    payer.start_timer(payer.people[0], FEB)
    payer.end_subscription(bought, FEB, now=FEB + 2 * HOUR)

    assert payer.billed_people() == [(1, 202601)]


def test_a_forgotten_timer_counts_only_up_to_its_limit(payer):
    payer.subscribe(JAN)
    payer.start_timer(payer.people[0], FEB - 13 * HOUR)  # 12 hours are the limit
    payer.start_timer(payer.people[1], FEB - 11 * HOUR)
    payer.close(FEB)
    payer.close(MAR)

    assert payer.billed_people() == [(0, 202601), (1, 202601), (1, 202602)]
    assert {line.last_activity_at for line in payer.lines()} == {FEB - HOUR, FEB, FEB + HOUR}


def test_a_timer_discarded_after_the_close_stays_billed_and_a_stopped_one_counts_once(payer):
    payer.subscribe(JAN)
    for user in payer.people[:2]:
        payer.start_timer(user, FEB - HOUR)
    payer.close(FEB)
    payer.discard_timer(payer.people[0], FEB + HOUR)
    payer.stop_timer(payer.people[1], FEB + HOUR)
    payer.close(MAR)

    assert payer.billed_people() == [(0, 202601), (1, 202601), (1, 202602)]


def test_users_included_in_a_monthly_fee_are_neither_billed_nor_reported(payer):
    subscription = payer.subscribe(JAN, included=2)
    for user in payer.people:
        payer.sign_in(user, at("2026-01-05"))
    [record] = payer.close(FEB)

    assert (record.active_users, record.included_users, record.total) == (3, 2, Decimal("4.50"))
    assert [event.quantity for event in payer.usage()] == [1]
    assert payer.end_subscription(subscription, FEB + HOUR)[0].total == Decimal(0)
    assert [event.quantity for event in payer.usage()] == [1]


def test_users_included_in_a_yearly_fee_are_billed_and_reported(payer):
    payer.subscribe(JAN, included=2, included_unit="P1Y")
    payer.sign_in(payer.people[0], at("2026-01-05"))
    [record] = payer.close(FEB)

    assert (record.included_users, record.total) == (0, Decimal("4.50"))
    assert [event.quantity for event in payer.usage()] == [1]


def test_a_user_billed_late_is_covered_by_the_rest_of_their_months_fee(payer):
    payer.subscribe(JAN, included=2)
    payer.sign_in(payer.people[0], at("2026-01-05"))
    payer.close(FEB)
    for user in payer.people[1:]:
        payer.add_time(user, at("2026-01-05"), at("2026-01-06"), now=FEB + HOUR)
    [february] = payer.close(MAR)

    assert payer.billed_people(february) == [(1, 202601), (2, 202601)]
    assert (february.included_users, february.total) == (1, Decimal("4.50"))


def test_a_yearly_price_is_on_the_record_without_a_total(payer):
    payer.subscribe(JAN, Price(Decimal(60), "EUR", "P1Y"), quantity=30)
    payer.sign_in(payer.people[0], at("2026-01-05"))
    [record] = payer.close(FEB)

    assert (record.active_users, record.price, record.total) == (1, Price(Decimal(60), "EUR", "P1Y"), None)


@pytest.mark.parametrize(("trial_ends", "included"), [("2026-01-31", 1), ("2026-01-30", 0)])
def test_the_marketplaces_free_trial_is_neither_billed_nor_reported(payer, trial_ends, included):
    payer.subscribe(JAN, free_trial_ends_at=at(trial_ends))
    payer.sign_in(payer.people[0], at("2026-01-05"))
    [record] = payer.close(FEB)

    assert (record.active_users, record.included_users) == (1, included)
    assert record.total == (1 - included) * Decimal("4.50")
    assert [event.quantity for event in payer.usage()] == [1] * (1 - included)


def test_a_plan_with_an_unreadable_price_is_reported_without_a_total(payer):
    subscription = payer.subscribe(JAN)
    payer.set_price(subscription, None, at("2026-01-20"), plan="gold")
    for month in (JAN, FEB):
        payer.sign_in(payer.people[0], month)
    [january, february] = payer.close(MAR)

    assert (january.price, january.total) == (Price(Decimal("4.50"), "EUR"), Decimal("4.50"))
    assert (february.price, february.total, february.active_users) == (None, None, 1)
    assert [event.quantity for event in payer.usage()] == [1, 1]
    assert [row.plan_id for row in payer.records()] == ["paid", "gold"]
    payer.set_price(subscription, FOUR_FIFTY, MAR, plan="gold")
    payer.close(MAR)


def test_a_bill_priced_later_reports_nothing_again(payer, engine):
    subscription = payer.subscribe(JAN, None)
    payer.sign_in(payer.people[0], JAN)
    payer.close(FEB)
    with engine.begin() as tx:
        mine = usage_events.c.tenant_id == payer.tenant_id
        tx.execute(usage_events.update().where(mine).values(state="accepted", attempts=1, settled_at=FEB))
    payer.set_price(subscription, FOUR_FIFTY, FEB + HOUR)
    [priced] = payer.close(FEB + 2 * HOUR)

    assert (priced.price, priced.total, priced.period.month.key) == (FOUR_FIFTY, Decimal("4.50"), 202601)
    assert [(event.quantity, event.state) for event in payer.usage()] == [(1, "accepted")]
    assert payer.close(FEB + 3 * HOUR) == []


def test_the_audit_log_writes_money_as_bills_do(payer):
    payer.subscribe(JAN)
    payer.sign_in(payer.people[0], JAN)
    [record] = payer.close(FEB)
    with payer.engine.begin() as tx:  # as read from the database, with all decimal places of the column
        read = record_store.find(tx, payer.tenant_id, record.public_id)
    assert read is not None
    payer.void(read, FEB + HOUR)

    totals = [payer.audit(action)[0].after_change["total"] for action in ("bill.closed", "bill.voided")]
    assert totals == ["4.50", "4.50"]
