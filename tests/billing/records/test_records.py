import datetime as dt
import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from billing.records.rules import no_record
from shared.calendar import Month
from shared.db.schema import audit_log, tenants, users
from shared.money import money_text
from tests.support.tenant_bills import start_paid_plan
from tests.support.world import new_id


MARKETPLACE_ID = "5f1c7a36-24a1-4a52-9d0a-6f5a3c1d9e77"


@pytest.fixture
def ada(world):
    return world.tenant(time_zone="Europe/Berlin")


@pytest.fixture
def bills(ada, engine):
    return start_paid_plan(engine, ada)


def put(engine, person, **values):
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id == uuid.UUID(person.tid)
        tx.execute(tenants.update().where(theirs).values(**values))


def test_a_record_shows_the_counted_users_and_the_total(ada, bills):
    record = bills.close(202610, 0, 1, 2, kind="final", quantity=7)
    [item] = ada.get("billing/records").body["items"]

    assert item == {
        "id": record,
        "month": "2026-10",
        "kind": "final",
        "state": "closed",
        "periodFrom": "2026-10-01T00:00:00.000Z",
        "periodTo": "2026-11-01T00:00:00.000Z",
        "timeZone": "UTC",
        "invoicedBy": "vendor",
        "subscriptionPlan": "paid",
        "quantity": 7,
        "activeUsers": 3,
        "ratePerUser": "4.50",
        "rateUnit": "P1M",
        "currency": "EUR",
        "total": "13.50",
        "lastEventType": "Activate",
        "closedAt": "2026-11-01T00:20:00.000Z",
    }


def test_pages_of_records_have_each_record_once_newest_month_first(ada, bills):
    made = [bills.close(month, 0) for month in (202601, 202602, 202512, 202603, 202604)]
    page, listed, sizes = ada.get("billing/records", pageSize="2").body, [], []
    while True:
        listed += [(item["month"], item["id"]) for item in page["items"]]
        sizes.append(len(page["items"]))
        if "nextLink" not in page:
            break
        page = ada.get(page["nextLink"]).body

    assert [month for month, _ in listed] == ["2026-04", "2026-03", "2026-02", "2026-01", "2025-12"]
    assert {record for _, record in listed} == set(made)
    assert sizes == [2, 2, 1]


def test_records_are_found_by_month_and_by_state(ada, bills):
    wrong = bills.close(202609, 0)
    row = bills.void(wrong)
    right = bills.close(202609, 0, 1, replaces_id=row)
    other = bills.close(202610, 0)

    def ids(**wanted):
        return [item["id"] for item in ada.get("billing/records", **wanted).body["items"]]

    assert ids() == [other, right, wrong]
    assert ids(month="2026-09") == [right, wrong]
    assert ids(state="void") == [wrong]
    assert ids(state="closed", month="2026-09") == [right]
    assert ids(month="2026-01") == []


@pytest.mark.parametrize(
    ("filters", "first", "following"),
    [({"month": "2026-09"}, "right", "wrong"), ({"state": "closed"}, "other", "right")],
)
def test_the_next_page_has_the_same_filters(ada, bills, filters, first, following):
    bills.void(bills.close(202608, 0))
    made = {"wrong": bills.close(202609, 0)}
    row = bills.void(made["wrong"])
    made |= {"right": bills.close(202609, 0, 1, replaces_id=row), "other": bills.close(202610, 0)}
    page = ada.get("billing/records", **filters, pageSize="1").body
    rest = ada.get(page["nextLink"]).body

    assert [item["id"] for item in page["items"]] == [made[first]]
    assert [item["id"] for item in rest["items"]] == [made[following]]
    assert "nextLink" not in rest


def test_a_void_record_shows_its_time_reason_and_replacement(ada, bills):
    wrong = bills.close(202609, 0)
    row = bills.void(wrong, reason="a wrong rate")
    right = bills.close(202609, 0, replaces_id=row, rate_per_user=Decimal("0.0001"))
    new, old = ada.get("billing/records").body["items"]

    assert (old["state"], old["voidedAt"], old["voidReason"]) == ("void", "2026-11-20T10:00:00.000Z", "a wrong rate")
    assert (old["replacedById"], new["replacesId"]) == (right, wrong)
    assert (new["ratePerUser"], new["total"]) == ("0.0001", "0.00")
    assert not {"voidedAt", "voidReason", "replacedById"} & new.keys()


def test_a_month_lists_each_active_user_with_the_reason(ada, bills):
    [first, second, third] = bills.people[:3]
    line = {"user_id": second, "display_name": "Ben", "email": "ben@billed.example", "reason": "signIn"}
    late = {"user_id": third, "display_name": "Åsa", "email": "asa@billed.example", "activity_month": 202609}
    named = {"user_id": first, "display_name": "ada", "email": "ada@billed.example"}
    bills.close(202610, late, line, named)
    month = ada.get("billing/records/2026-10").body
    [record] = month["records"]
    me = ada.get("me").body["id"]

    assert month["month"] == "2026-10"
    assert (record["activeUsers"], record["total"]) == (3, "13.50")
    assert [(each["displayName"], each["reason"], each["activityMonth"]) for each in record["lines"]] == [
        ("ada", "time", "2026-10"),
        ("Ben", "signIn", "2026-10"),
        ("Åsa", "time", "2026-09"),
    ]
    assert [each.get("isAdjustment") for each in record["lines"]] == [None, None, True]
    assert record["lines"][0] == {
        "userId": me,
        "email": "ada@billed.example",
        "displayName": "ada",
        "reason": "time",
        "firstActivityAt": "2026-10-02T08:00:00.000Z",
        "lastActivityAt": "2026-10-21T17:00:00.000Z",
        "activityMonth": "2026-10",
    }


def test_a_month_with_several_subscriptions_has_a_record_with_lines_for_each(ada, bills):
    bills.end(dt.datetime(2026, 10, 9, tzinfo=dt.UTC))
    bills.close(202610, 0, kind="final")
    bills.subscribe(uuid.UUID(marketplace_id := new_id())).close(202610, 1, 2)
    first, second = ada.get("billing/records/2026-10").body["records"]

    assert (first["kind"], "subscriptionId" in first, len(first["lines"])) == ("final", False, 1)
    assert (second["kind"], second["subscriptionId"], len(second["lines"])) == ("month", marketplace_id, 2)


@pytest.mark.parametrize("path", ["billing/records/{}", "billing/records/{}/statement"])
@pytest.mark.parametrize(
    ("month", "detail"),
    [
        ("2026-11", "This month is still open. The preview shows its bill so far."),
        ("2026-12", "This month has not begun."),
        ("2026-09", "This month has no record"),
        ("2026-13", "There is no such month. Write it like 2026-11."),
        ("202610", "There is no such month."),
        ("٢٠٢٦-10", "There is no such month."),
    ],
)
def test_a_month_without_a_record_is_not_found_with_the_reason(ada, bills, path, month, detail):
    bills.close(202610, 0)
    refused = ada.get(path.format(month))

    assert (refused.status, refused.code) == (404, "not_found")
    assert refused.body["detail"].startswith(detail)


def test_the_open_month_follows_the_tenants_time_zone(ada, bills, clock):
    clock.set("2026-11-30T23:30:00+00:00")  # December in Berlin

    assert "no record" in ada.get("billing/records/2026-11").body["detail"]
    assert "still open" in ada.get("billing/records/2026-12").body["detail"]
    assert bills.people


@pytest.mark.parametrize("parameter", ["after", "month", "state", "pageSize"])
def test_a_wrong_parameter_is_named(ada, parameter):
    refused = ada.get("billing/records", **{parameter: "nonsense"})

    assert (refused.status, refused.code) == (400, "invalid_query")
    assert [each["pointer"] for each in refused.body["errors"]] == [parameter]


def test_an_invalid_cursor_is_refused(ada, bills):
    bills.close(202610, 0)

    assert ada.get("billing/records", after=new_id()).status == 400


def test_another_tenants_bills_are_not_found(bills, world, engine):
    record = bills.close(202610, 0, 1)
    bob = world.tenant()
    theirs = start_paid_plan(engine, bob).close(202609, 0)

    assert [item["id"] for item in bob.get("billing/records").body["items"]] == [theirs]
    assert bob.get("billing/records/2026-10").status == 404
    assert bob.get("billing/records/2026-10/statement").status == 404
    assert bob.get("billing/records", after=record).status == 400
    assert bob.get("billing/subscription").body["history"] == []


@pytest.mark.parametrize("path", ["billing/records", "billing/records/2026-10", "billing/subscription"])
@pytest.mark.parametrize("status", ["suspended", "cancelled"])
def test_after_a_suspension_or_cancellation_only_super_admins_read_bills(ada, bills, world, path, status):
    bills.close(202610, 0)
    ben = world.member(ada)
    put(bills.engine, ada, status=status)
    as_user = ben.get(path)
    with bills.engine.begin() as tx:
        tx.execute(users.update().where(users.c.entra_object_id == uuid.UUID(ben.oid)).values(role="admin"))

    assert ada.get(path).status == 200
    assert (as_user.status, as_user.code) == (403, "role_required")
    assert (ben.get(path).status, ben.get(path).code) == (403, "role_required")


def test_a_statement_writes_nothing_about_its_fonts_to_the_log(ada, bills, caplog):
    bills.close(202610, 0)
    caplog.set_level("INFO")
    taken = ada.get("billing/records/2026-10/statement")

    assert taken.status == 200
    assert not [record for record in caplog.records if record.name.startswith("fontTools")]


def test_an_exported_statement_is_in_the_audit_log(ada, bills):
    bills.close(202610, 0)
    taken = ada.get("billing/records/2026-10/statement")
    with bills.engine.connect() as connection:
        of_tenant = audit_log.c.tenant_id == bills.tenant_id
        rows = connection.execute(sa.select(audit_log).where(of_tenant).order_by(audit_log.c.id.desc())).first()

    assert taken.status == 200
    assert (rows.action, rows.after_change) == ("statement.exported", {"month": "2026-10", "format": "pdf"})


def test_a_head_request_for_a_statement_has_its_headers_and_records_nothing(ada, bills):
    bills.close(202610, 0)
    head = ada.http.send("HEAD", "billing/records/2026-10/statement", token=ada.token)

    assert (head.status, head.raw) == (200, b"")
    assert head.headers["Content-Disposition"].startswith("attachment")
    assert "statement.exported" not in {row["action"] for row in ada.get("audit").body["items"]}


@given(st.decimals(min_value=0, max_value=10**9, places=4), st.sampled_from(["1", "0.01", "0.0100", "0.001"]))
def test_money_is_written_exactly_with_the_decimals_of_its_currency(amount, unit):
    text = money_text(amount, Decimal(unit))
    places = len(text.partition(".")[2])

    assert Decimal(text) == amount
    assert places >= {"1": 0, "0.01": 2, "0.0100": 2, "0.001": 3}[unit]
    assert not text.endswith("0") or places <= {"1": 0, "0.01": 2, "0.0100": 2, "0.001": 3}[unit]


@pytest.mark.parametrize(("month", "reason"), [(11, "open"), (12, "not begun"), (10, "no record")])
def test_the_reason_for_a_missing_record_depends_on_the_current_month(month, reason):
    assert reason in no_record(Month(2026, month), Month(2026, 11))
