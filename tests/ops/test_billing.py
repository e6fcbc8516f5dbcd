import datetime as dt
import itertools
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db.schema import subscription_events, subscription_rates, subscriptions, tenants
from tests.support.connection_loss import drop_connections, on_postgresql
from tests.support.installations import change, own
from tests.support.paying_tenants import PayingTenant, at
from tests.support.world import new_id


NOW = clock.now()
THIS_MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LAST_MONTH = (THIS_MONTH - dt.timedelta(days=1)).replace(day=1)
TEXT = f"{LAST_MONTH:%Y-%m}"
PAID = ("paid", "--rate", "4.50", "--currency", "EUR")


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    payer = PayingTenant.create(engine, since=at("2026-01-01"))
    payer.subscribe(LAST_MONTH)
    payer.sign_in(payer.people[0], LAST_MONTH)
    return payer


def name(payer):
    with payer.engine.connect() as connection:
        return payer.tenant(connection).slug


def test_a_close_shows_its_bills_and_is_audited(ops, payer):
    done = ops("billing", "close", "--tenant", name(payer), "--yes", "--json", MARKETPLACE_METERING_DIMENSION="users")
    [bill] = done.json["closed"]
    [row] = payer.audit("bill.closed")

    assert (done.code, done.json["failed"], done.json["left"]) == (0, [], 0)
    assert (bill["month"], bill["activeUsers"], bill["total"], bill["currency"]) == (TEXT, 1, "4.50", "EUR")
    assert [str(each.public_id) for each in payer.records()] == [bill["id"]]
    assert (row.actor_kind, row.after_change["recordId"]) == ("operator", bill["id"])
    assert [event.dimension for event in payer.usage()] == ["users"]


def test_a_close_again_finds_nothing(ops, payer):
    ops("billing", "close", "--tenant", name(payer), "--yes")
    again = ops("billing", "close", "--tenant", name(payer), "--yes")

    assert (again.code, again.message) == (0, "Nothing to close.")


def test_a_dry_run_shows_the_bills_and_closes_nothing(ops, payer):
    dry = ops("billing", "close", "--tenant", name(payer), "--dry-run", "--json")

    assert (dry.code, [bill["total"] for bill in dry.json["closed"]]) == (0, ["4.50"])
    assert payer.records() == payer.audit("bill.closed") == payer.closed_months() == []


def test_as_of_closes_only_months_that_had_ended(ops, payer):
    before = THIS_MONTH - dt.timedelta(milliseconds=1)
    done = ops("billing", "close", "--tenant", name(payer), "--as-of", before.isoformat(), "--yes", "--json")

    assert (done.code, done.json["closed"]) == (0, [])


@pytest.mark.parametrize("instant", ["2026-12-01", "soon", "2999-01-01T00:00:00Z"])
def test_an_invalid_or_future_instant_is_rejected(wrong_usage, instant):
    assert "--as-of" in wrong_usage("billing", "close", "--as-of", instant, "--yes")


def test_the_price_of_a_bill_without_one_is_set_once(ops, engine):
    unknown = PayingTenant.create(engine)
    unknown.subscribe(LAST_MONTH, None)
    unknown.sign_in(unknown.people[0], LAST_MONTH)
    closed = ops("billing", "close", "--tenant", name(unknown), "--yes", "--json").json["closed"]
    price = ("billing", "set-price", closed[0]["id"], "--rate", "7", "--currency", "eur", "--json")
    tried, done, again = (ops(*price, *more) for more in (("--dry-run",), ("--yes",), ("--yes",)))

    assert (closed[0]["ratePerUser"], closed[0]["total"], closed[0]["activeUsers"]) == (None, None, 1)
    assert [each.code for each in (tried, done, again)] == [0, 0, 1], again.err
    assert tried.json["after"] == done.json["after"]
    assert done.json["after"]["replacement"] == "1 users, 7.00 EUR"
    assert [(row.state, row.total) for row in unknown.records()] == [("void", None), ("closed", Decimal(7))]


@pytest.fixture
def payer_by_seats(engine):
    """A yearly subscription per seat in the Marketplace, without a known price."""
    payer = PayingTenant.create(engine)
    payer.subscribe(LAST_MONTH, None, quantity=20)
    payer.sign_in(payer.people[0], LAST_MONTH)
    with engine.begin() as tx:
        mine = subscriptions.c.tenant_id == payer.tenant_id
        tx.execute(subscriptions.update().where(mine).values(term_unit="P1Y"))
    return payer


def test_a_bill_by_seats_has_no_total_anywhere(ops, engine):
    payer = PayingTenant.create(engine)
    payer.subscribe(LAST_MONTH, quantity=20)
    payer.sign_in(payer.people[0], LAST_MONTH)
    [closed] = ops("billing", "close", "--tenant", name(payer), "--yes", "--json").json["closed"]
    [record] = ops("billing", "records", "--tenant", name(payer), "--json").json
    preview = ops("billing", "preview", "--tenant", name(payer), "--json").json
    void = ops("billing", "void", closed["id"], "--reason", "wrong", "--dry-run", "--json").json
    [audited] = payer.audit("bill.closed")

    assert (closed["ratePerUser"], closed["total"]) == ("4.50", None)
    assert (record["total"], preview["total"], audited.after_change["total"]) == (None, None, None)
    assert void["before"]["total"] == "Microsoft charges for the seats"


def test_the_price_set_for_a_bill_is_that_of_the_bought_term(ops, payer_by_seats):
    [closed] = ops("billing", "close", "--tenant", name(payer_by_seats), "--yes", "--json").json["closed"]
    done = ops("billing", "set-price", closed["id"], "--rate", "60", "--currency", "usd", "--yes")

    assert done.code == 0, done.err
    assert [(row.state, row.rate_per_user, row.rate_unit, row.total) for row in payer_by_seats.records()] == [
        ("void", None, "P1M", None),
        ("closed", 60, "P1Y", None),
    ]


def test_another_rate_of_a_plan_by_the_year_stays_by_the_year(ops, payer_by_seats, engine):
    payer_by_seats.change(plan_kind="paid", status="active", seat_limit=20)
    done = ops("tenants", "set-plan", name(payer_by_seats), "paid", "--rate", "59", "--currency", "USD", "--yes")
    with engine.connect() as tx:
        mine = subscription_rates.c.tenant_id == payer_by_seats.tenant_id
        rates = tx.execute(sa.select(subscription_rates).where(mine).order_by(subscription_rates.c.from_at)).all()
        tenant = tx.execute(sa.select(tenants).where(tenants.c.id == payer_by_seats.tenant_id)).one()

    assert done.code == 0, done.err
    assert [(rate.rate_per_user, rate.rate_unit) for rate in rates] == [(59, "P1Y")]
    assert (tenant.rate_per_user, tenant.rate_unit) == (59, "P1Y")


def test_an_agreement_after_a_purchase_does_not_have_its_id(ops, tenant_rows, engine, slug):
    tenant, bought = tenant_rows.tenant(slug)["id"], uuid.UUID(new_id())
    with engine.begin() as tx:
        tx.execute(tenants.update().where(tenants.c.id == tenant).values(subscription_id=bought, rate_unit="P1Y"))
    done = ops("tenants", "set-plan", slug, *PAID, "--yes")

    assert done.code == 0, done.err
    assert [tenant_rows.tenant(slug)[column] for column in ("subscription_id", "rate_unit")] == [None, "P1M"]


def test_nothing_is_closed_without_a_terminal_or_yes(ops, payer):
    refused = ops("billing", "close", "--tenant", name(payer))

    assert (refused.code, payer.records()) == (2, [])


@contextmanager
def interrupt_at(bill: int, payers: list[PayingTenant]) -> Iterator[None]:
    """Ctrl-C just before that bill is written; tenants of other tests may have bills that always fail."""
    left, theirs = itertools.count(bill - 1, -1), {payer.tenant_id for payer in payers}

    def interrupt(_connection, _cursor, statement, _parameters, context, _many):
        if not statement.startswith("INSERT INTO billing_records"):
            return
        if context.compiled_parameters[0]["tenant_id"] in theirs and next(left) == 0:
            signal.raise_signal(signal.SIGINT)

    sa.event.listen(sa.Engine, "before_cursor_execute", interrupt)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", interrupt)


@on_postgresql
def test_a_locked_tenant_fails_alone_and_is_reported(ops, engine, app):  # noqa: ARG001
    ops("billing", "close", "--yes")  # pending bills of other tests
    payers = [PayingTenant.create(engine, people=1, since=at("2026-01-01")) for _ in range(3)]
    for payer in payers:
        payer.subscribe(LAST_MONTH)
    with engine.begin() as other:
        other.execute(sa.select(tenants).where(tenants.c.id == payers[1].tenant_id).with_for_update())
        done = ops("billing", "close", "--yes", "--json")
    resumed = ops("billing", "close", "--yes", "--json")

    first, held, last = map(name, payers)
    [why] = [failed["error"] for failed in done.json["failed"] if failed["tenant"] == held]

    assert done.code == 1
    assert "lock timeout" in why
    assert {bill["tenant"] for bill in done.json["closed"]} == {first, last}
    assert {bill["tenant"] for bill in resumed.json["closed"]} == {held}
    assert {first, held, last}.isdisjoint(failed["tenant"] for failed in resumed.json["failed"])


@on_postgresql
def test_a_lost_connection_during_a_close_is_retried(ops, engine, payer):
    with drop_connections(sa.Engine, engine, "INSERT INTO billing_records") as statements:
        closed = ops("billing", "close", "--yes", "--tenant", name(payer), "--json")

    assert (closed.code, len(statements), len(closed.json["closed"])) == (0, 1, 1)
    assert len(payer.records()) == 1


def test_an_interrupted_close_keeps_its_results_and_can_be_continued(ops, engine, app):  # noqa: ARG001
    ops("billing", "close", "--yes")  # pending bills of other tests
    payers = [PayingTenant.create(engine, people=1, since=at("2026-01-01")) for _ in range(5)]
    for payer in payers:
        payer.subscribe(LAST_MONTH)
    ours = {name(payer) for payer in payers}

    with interrupt_at(3, payers):
        cut = ops("billing", "close", "--yes", "--json")
    kept = [len(payer.records()) for payer in payers]
    resumed = ops("billing", "close", "--yes", "--json")

    assert (cut.code, kept) == (1, [1, 1, 0, 0, 0])
    assert cut.json["left"] >= 3  # ours, and any that other tests left behind ours
    assert f"{cut.json['left']} tenants left; repeat the command to continue" in cut.err
    assert ours <= {bill["tenant"] for each in (cut, resumed) for bill in each.json["closed"]}
    assert [len(payer.records()) for payer in payers] == [1] * 5
    assert ours.isdisjoint(failed["tenant"] for failed in resumed.json["failed"])
    assert resumed.json["left"] == 0


def test_the_preview_shows_the_active_users_so_far(ops, payer):
    ops("billing", "close", "--tenant", name(payer), "--yes")
    payer.sign_in(payer.people[1], THIS_MONTH)
    shown = ops("billing", "preview", "--tenant", name(payer))
    document = ops("billing", "preview", "--tenant", name(payer), "--json").json

    assert (document["month"], document["activeUsers"], document["total"]) == (f"{NOW:%Y-%m}", 1, "4.50")
    assert [line["email"] for line in document["lines"]] == ["p1@contoso.example"]
    assert "p1@contoso.example" in shown.out


def test_there_is_no_preview_without_a_paid_subscription(ops, engine, app):  # noqa: ARG001
    idle = PayingTenant.create(engine)
    refused = ops("billing", "preview", "--tenant", name(idle))

    assert (refused.code, "has no paid subscription" in refused.message) == (1, True)


def test_bills_are_listed_by_tenant_and_month(ops, payer):
    ops("billing", "close", "--tenant", name(payer), "--yes")
    [bill] = ops("billing", "records", "--tenant", name(payer), "--month", TEXT, "--json").json
    nothing = ops("billing", "records", "--tenant", name(payer), "--month", "2020-01")
    shown = ops("billing", "records", "--tenant", name(payer))

    assert (bill["tenant"], bill["month"], bill["state"]) == (name(payer), TEXT, "closed")
    assert nothing.message == "No bills found."
    assert bill["id"] in shown.out


@pytest.mark.parametrize("month", ["2026-13", "2026", "11-2026"])
def test_an_invalid_month_is_rejected(wrong_usage, month):
    assert "--month" in wrong_usage("billing", "records", "--month", month)


def test_a_bill_is_voided_and_replaced_once_with_a_reason(ops, payer):
    payer.add_time(payer.people[1], LAST_MONTH, LAST_MONTH + dt.timedelta(hours=1))
    [closed] = payer.close(THIS_MONTH)
    arguments = ("billing", "void", str(closed.public_id), "--reason", "a test account", "--replace")
    dry = ops(*arguments, "--dry-run", "--json")
    untouched = payer.records()
    done = ops(*arguments, "--yes", "--json")
    again = ops(*arguments, "--yes")
    void, anew = payer.records()

    assert (dry.json["changed"], len(untouched), untouched[0].state) == (False, 1, "closed")
    assert dry.json["after"]["replacement"] == done.json["after"]["replacement"] == "2 users, 9.00 EUR"
    assert (void.state, void.void_reason, anew.state, anew.replaces_id) == ("void", "a test account", "closed", void.id)
    assert (again.code, "only a void record that nothing replaces" in again.message) == (1, True)
    assert len(payer.audit("bill.voided")) == 1


def test_a_void_bill_can_be_replaced_later_but_not_voided_again(ops, payer):
    [closed] = payer.close(THIS_MONTH)
    first = ops("billing", "void", str(closed.public_id), "--reason", "wrong", "--yes")
    second = ops("billing", "void", str(closed.public_id), "--reason", "wrong", "--yes")
    anew = ops("billing", "void", str(closed.public_id), "--reason", "right now", "--replace", "--yes")

    assert (first.code, second.code, anew.code) == (0, 1, 0)
    assert [row.state for row in payer.records()] == ["void", "closed"]


@pytest.mark.parametrize("command", ["void", "set-price"])
def test_no_bill_is_replaced_while_the_database_is_held(ops, engine, command):
    unknown = PayingTenant.create(engine)
    unknown.subscribe(LAST_MONTH, None)
    unknown.sign_in(unknown.people[0], LAST_MONTH)
    [closed] = unknown.close(THIS_MONTH)
    more = {"void": ("--reason", "wrong", "--replace"), "set-price": ("--rate", "7", "--currency", "EUR")}[command]
    arguments = ("billing", command, str(closed.public_id), *more)
    with own(engine):
        change(engine, held_since=NOW, held_reason="begun")
        dry, refused, before = ops(*arguments, "--dry-run"), ops(*arguments, "--yes"), unknown.records()
        change(engine, held_since=None, held_reason=None)
        done = ops(*arguments, "--yes")

    assert (dry.code, refused.code, done.code) == (0, 1, 0)
    assert "the database is held" in refused.message
    assert [[row.state for row in rows] for rows in (before, unknown.records())] == [["closed"], ["void", "closed"]]


def test_an_unknown_bill_and_an_empty_reason_are_rejected(ops, wrong_usage):
    assert "no bill has the id" in ops("billing", "void", new_id(), "--reason", "x", "--yes").message
    assert "--reason" in wrong_usage("billing", "void", new_id(), "--reason", "", "--yes")
    assert "--reason" in wrong_usage("billing", "void", new_id(), "--reason", "\u200b", "--yes")


def rows(engine, table, slug, tenant_rows):
    with engine.connect() as connection:
        query = sa.select(table).where(table.c.tenant_id == tenant_rows.tenant(slug)["id"])
        return connection.execute(query).all()


def test_a_paid_plan_is_an_agreement_from_now_on_with_its_rate_and_seats(ops, tenant_rows, engine, slug):
    before = clock.now()
    ops("tenants", "set-plan", slug, *PAID, "--seats", "10", "--yes")
    [agreed] = rows(engine, subscriptions, slug, tenant_rows)
    [rate] = rows(engine, subscription_rates, slug, tenant_rows)
    [event] = rows(engine, subscription_events, slug, tenant_rows)

    assert (agreed.marketplace_id, agreed.status, agreed.quantity, agreed.ended_at) == (None, "subscribed", 10, None)
    assert before - dt.timedelta(milliseconds=1) <= agreed.paid_from <= clock.now()
    assert (rate.rate_per_user, rate.currency, rate.from_at) == (Decimal("4.5"), "EUR", agreed.paid_from)
    assert (event.event_type, event.source, event.outcome) == ("Agree", "operator", "applied")


def test_another_rate_and_other_seats_keep_the_agreement_and_are_in_its_ledger(ops, tenant_rows, engine, slug):
    ops("tenants", "set-plan", slug, *PAID, "--yes")
    ops("tenants", "set-plan", slug, "paid", "--rate", "6", "--currency", "EUR", "--seats", "8", "--yes")
    [agreed] = rows(engine, subscriptions, slug, tenant_rows)

    assert [rate.rate_per_user for rate in rows(engine, subscription_rates, slug, tenant_rows)] == [
        Decimal("4.5"),
        Decimal(6),
    ]
    assert [event.event_type for event in rows(engine, subscription_events, slug, tenant_rows)] == [
        "Agree",
        "ChangeRate",
        "ChangeQuantity",
    ]
    assert (agreed.quantity, agreed.status) == (8, "subscribed")


@pytest.mark.parametrize("plan", ["trial", "internal"])
def test_leaving_the_paid_plan_ends_the_agreement_with_its_final_bill(ops, tenant_rows, engine, slug, plan):
    ops("tenants", "set-plan", slug, *PAID, "--yes")
    done = ops("tenants", "set-plan", slug, plan, "--yes")
    [ended] = rows(engine, subscriptions, slug, tenant_rows)
    payer = PayingTenant(engine, tenant_rows.tenant(slug)["id"], 0, 0, [])
    [bill] = payer.records()

    assert (done.code, ended.status, tenant_rows.tenant(slug)["plan_kind"]) == (0, "unsubscribed", plan)
    assert (bill.kind, bill.period_from, bill.period_to) == ("final", ended.paid_from, ended.ended_at)
    assert payer.close(clock.now() + dt.timedelta(days=70)) == []


def test_back_on_the_paid_plan_is_another_agreement(ops, tenant_rows, engine, slug):
    for plan in (PAID, ("trial",), PAID):
        ops("tenants", "set-plan", slug, *plan, "--yes")

    assert [each.status for each in rows(engine, subscriptions, slug, tenant_rows)] == ["unsubscribed", "subscribed"]


def test_a_purchase_in_the_marketplace_is_cancelled_there(ops, tenant_rows, engine, slug):
    ops("tenants", "set-plan", slug, *PAID, "--seats", "5", "--yes")
    bought, mine = uuid.UUID(new_id()), subscriptions.c.tenant_id == tenant_rows.tenant(slug)["id"]
    with engine.begin() as tx:
        tx.execute(subscriptions.update().where(mine).values(marketplace_id=bought))
    before = tenant_rows.tenant(slug)
    internal = ops("tenants", "set-plan", slug, "internal", "--yes")
    seats = ops("tenants", "set-plan", slug, *PAID, "--seats", "9", "--yes")
    dearer = ops("tenants", "set-plan", slug, "paid", "--rate", "5", "--currency", "EUR", "--yes")

    assert (internal.code, f"in the Marketplace, {bought}; cancel it there first" in internal.message) == (1, True)
    assert (seats.code, "change their number there" in seats.message) == (1, True)
    assert dearer.code == 0
    assert tenant_rows.tenant(slug)["plan_kind"] == before["plan_kind"] == "paid"
    assert [rate.rate_per_user for rate in rows(engine, subscription_rates, slug, tenant_rows)] == [
        Decimal("4.5"),
        Decimal(5),
    ]
