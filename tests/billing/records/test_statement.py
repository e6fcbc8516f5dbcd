import datetime as dt
import io
import itertools
import uuid
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.closing.model import Kind, Period, Reason, Record, State
from billing.records import statement as statement_pdf
from billing.records.rules import period_days
from billing.records.seat_rules import ListedPrice, SeatSpan
from billing.records.statement import Vendor
from billing.records.store import BillLine, ClosedBill
from billing.subscriptions.model import Price
from shared.calendar import Month
from shared.money import MONTH
from tests.support.budget import tries
from tests.support.tenant_bills import start_paid_plan


pytestmark = pytest.mark.http_only
BERLIN = ZoneInfo("Europe/Berlin")
NOVEMBER = Month(2026, 11)
PERIOD = Period(NOVEMBER, Kind.MONTH, NOVEMBER.starts_at(BERLIN), NOVEMBER.next.starts_at(BERLIN), BERLIN.key)
VENDOR = Vendor("Example Software GmbH", "1 Example Street, 12345 Example City", "billing@example.com")
NAMES = ("Ada Lovelace", "Łukasz Żółć", "Ольга Петрова", "Ελένη Παπαδοπούλου", "José Ñandú", "Đặng Thị Thu Hà")


def record(*, rate="4.50", currency="EUR", period=PERIOD, **values):
    known = {
        "id": 1,
        "public_id": uuid.UUID(int=77),
        "tenant_id": 1,
        "subscription_id": 1,
        "period": period,
        "state": State.CLOSED,
        "active_users": 2,
        "included_users": 0,
        "price": None if rate is None else Price(Decimal(rate), currency, MONTH),
        "total": Decimal("9.00"),
        "replaces_id": None,
        "closed_at": dt.datetime(2026, 11, 30, 23, 20, tzinfo=dt.UTC),
        "marketplace_id": uuid.UUID(int=99),
        "plan_id": "team-monthly",
        "quantity": None,
        "last_event_type": None,
    }
    return Record(**{**known, **values})


def line(name="Ada Lovelace", email="ada@contoso.example", month=NOVEMBER):
    first, last = dt.datetime(2026, 11, 1, 23, 30, tzinfo=dt.UTC), dt.datetime(2026, 11, 29, 17, tzinfo=dt.UTC)
    return BillLine(uuid.UUID(int=1), email, name, Reason.TIME, first, last, month)


def statement(tenant, month, bills):
    return statement_pdf.statement(VENDOR, tenant, month, bills)


def seats(number, starts_at, ends_at, price="6.00", term="P1M"):
    listed = None if price is None else ListedPrice(starts_at, "team", Decimal(price), "USD", term)
    return SeatSpan(starts_at, ends_at, "team", number, listed)


def pages_of(document):
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(document)).pages]


def created_at(document):
    metadata = pypdf.PdfReader(io.BytesIO(document)).metadata
    return metadata and metadata.creation_date


def text_of(document):
    return " ".join(pages_of(document))


def test_a_statement_lists_active_users_with_reason_rate_and_total(world, engine):
    ada = world.tenant(name="Contoso Zürich")
    bills = start_paid_plan(engine, ada, people=5, marketplace_id=uuid.UUID(int=4711))
    named = [{"user_id": row, "display_name": name} for row, name in zip(bills.people, NAMES, strict=True)]
    record_id = bills.close(202610, *named)
    answer = ada.get("billing/records/2026-10/statement")
    text = text_of(answer.raw)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"].endswith('-2026-10-statement.pdf"')
    for part in (
        *NAMES,
        "Usage statement October 2026",
        "Issued by TimeTracker (development)",
        "Customer Contoso Zürich",
        "Period 1 October 2026 to 31 October 2026",
        "Time zone UTC",
        "Plan Per active user Subscription Azure Marketplace, 00000000-0000-0000-0000-000000001267",
        f"Statement id {record_id}",
        "Issued 1 November 2026, 00:20",
        "No. Name E-mail Active through First activity Last activity",
        "tracked time 2 October 2026 21 October 2026",
        "Active users 6 Rate per user and month 4.50 EUR Total 27.00 EUR",
        "Everyone who signed in during the period, or recorded time in it, counts as one active user.",
        "People who were only invited do not.",
        "Microsoft is the merchant of record",
        "This is a statement, not an invoice.",
        "Page 1 of 1",
    ):
        assert part in text
    assert text.count("@contoso.example") == len(NAMES)


def test_the_same_record_makes_the_same_bytes(world, engine, clock):
    ada = world.tenant()
    start_paid_plan(engine, ada).close(202610, 0, 1)
    first = ada.get("billing/records/2026-10/statement").raw
    clock.tick(days=3)

    assert ada.get("billing/records/2026-10/statement").raw == first
    assert created_at(first) == dt.datetime(2026, 11, 1, 0, 20, tzinfo=dt.UTC)


def test_days_follow_the_records_time_zone():
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(),))]))

    assert "Period 1 November 2026 to 30 November 2026" in text
    assert "Issued 1 December 2026, 00:20" in text
    assert "2 November 2026 29 November 2026" in text  # 23:30 in UTC is the next day in Berlin


def test_two_hundred_people_fill_several_pages_each_with_the_header():
    lines = tuple(line(f"Somebody {number}", f"p{number}@contoso.example") for number in range(200))
    pages = pages_of(statement("Contoso", NOVEMBER, [ClosedBill(record(active_users=200, total=Decimal(900)), lines)]))
    text = " ".join(pages)

    assert len(pages) > 4
    assert all(f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, start=1))
    assert all("No. Name E-mail Active through First activity Last activity" in page for page in pages[:-1])
    assert all(text.count(f"Somebody {number} p{number}@contoso.example") == 1 for number in range(200))


def test_time_of_an_earlier_month_is_marked_as_an_adjustment():
    lines = (line(), line("Ben", month=NOVEMBER.previous))
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), lines)]))

    assert text.count("tracked time in October 2026 (adjustment)") == 1


def test_a_statement_names_its_issuer_and_its_customer():
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), ())]))

    assert "Issued by Example Software GmbH 1 Example Street, 12345 Example City billing@example.com" in text
    assert "Customer Contoso" in text


def test_without_an_address_only_the_vendors_name_is_shown():
    document = statement_pdf.statement(Vendor("Example", "", ""), "Contoso", NOVEMBER, [ClosedBill(record(), ())])

    assert "Issued by Example Customer Contoso" in text_of(document)


def test_an_agreement_is_described_in_words_without_microsoft(world, engine):
    ada = world.tenant()
    bills = start_paid_plan(engine, ada, plan_id="agreed")
    bills.close(202610, 0, plan_id="agreed")
    text = text_of(ada.get("billing/records/2026-10/statement").raw)

    assert "Plan Per active user, as agreed with TimeTracker (development) Statement id" in text
    assert "are invoiced by TimeTracker (development). This is a statement, not an invoice." in text
    assert "Microsoft" not in text
    assert "Plan agreed" not in text


def test_agreed_seats_are_a_limit_and_active_users_are_counted():
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(marketplace_id=None, quantity=20), (line(),))]))

    assert "Plan Per active user, for up to 20 seats, as agreed with Example Software GmbH" in text
    assert "Total 9.00 EUR" in text


def test_a_plan_by_seats_shows_them_at_the_listed_price_and_leaves_the_total_to_microsoft():
    bill, at = record(quantity=25), dt.datetime(2026, 11, 14, 9, 30, tzinfo=dt.UTC)
    spans = (seats(20, bill.period.starts_at, at), seats(25, at, bill.period.ends_at))
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(bill, (line(), line("Ben")), spans)]))

    for part in (
        "Plan Per seat Subscription Azure Marketplace",
        "Active users 2 Listed price per seat and month 6.00 USD Seats at the end of the period 25",
        "Seats From To Seats Listed price per seat For a whole term 1 November 2026",
        "1 November 2026 14 November 2026, 10:30 20 6.00 USD per month 120.00 USD per month",
        "14 November 2026, 10:30 30 November 2026 25 6.00 USD per month 150.00 USD per month",
        "Microsoft charges for the seats, not for active users.",
        "Microsoft's invoice decides.",
    ):
        assert part in text
    assert "Total" not in text
    assert "9.00 EUR" not in text


@pytest.mark.parametrize(
    ("term", "shown"),
    [("P1M", "6.00 USD per month"), ("P1Y", "6.00 USD per year"), ("P3Y", "6.00 USD per 3 years"), ("", "per term")],
)
def test_the_listed_price_is_for_the_term(term, shown):
    bill = record(quantity=1)
    span = seats(1, bill.period.starts_at, bill.period.ends_at, term=term)

    assert shown in text_of(statement("Contoso", NOVEMBER, [ClosedBill(bill, (), (span,))]))


def test_an_unknown_price_is_shown_as_not_known():
    bill = record(quantity=5)
    span = seats(5, bill.period.starts_at, bill.period.ends_at, price=None)
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(bill, (), (span,))]))

    assert "Listed price per seat not known" in text
    assert "30 November 2026 5 not known not known" in text


def test_users_without_charge_are_shown_beside_the_rate():
    bill = ClosedBill(record(included_users=1, total=Decimal("4.50")), (line(), line("Ben")))
    text = text_of(statement("Contoso", NOVEMBER, [bill]))

    assert "Active users 2 Users without charge 1 Rate per user and month 4.50 EUR Total 4.50 EUR" in text


def test_an_unreadable_price_leaves_rate_and_total_unknown():
    unread = record(public_id=uuid.UUID(int=6), rate=None, total=None)
    alone = text_of(statement("Contoso", NOVEMBER, [ClosedBill(unread, (line(),))]))
    beside = text_of(
        statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(),)), ClosedBill(unread, (line("Ben"),))])
    )

    assert "Active users 2 Rate per user and month not known Total not known" in alone
    assert "Active users of the month 4 Total of the month 9.00 EUR Further amounts not known" in beside


def test_seats_before_a_change_of_plan_are_shown_beside_its_total():
    span = seats(5, PERIOD.starts_at, dt.datetime(2026, 11, 10, tzinfo=dt.UTC))
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(),), (span,))]))

    assert "Total 9.00 EUR" in text
    assert "10 November 2026, 01:00 5 6.00 USD per month 30.00 USD per month" in text
    assert "Microsoft's invoice decides." in text


def test_a_month_with_several_records_adds_up_without_the_void_one():
    void = record(
        public_id=uuid.UUID(int=5),
        state=State.VOID,
        voided_at=dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC),
        void_reason="the rate was wrong.",
        replaced_by=uuid.UUID(int=77),
        active_users=7,
        total=Decimal("31.50"),
    )
    final = record(
        public_id=uuid.UUID(int=6),
        period=replace(PERIOD, kind=Kind.FINAL, ends_at=dt.datetime(2026, 11, 14, 9, 30, tzinfo=dt.UTC)),
        active_users=1,
        total=Decimal("4.50"),
        marketplace_id=None,
    )
    bills = [
        ClosedBill(void, (line("Nobody"),)),
        ClosedBill(record(), (line(), line("Ben"))),
        ClosedBill(final, (line("Cleo"),)),
    ]
    text = text_of(statement("Contoso", NOVEMBER, bills))

    assert "Void: not to be paid" in text
    assert "This statement was voided on 2 December 2026, 10:00: the rate was wrong." in text
    assert "wrong.." not in text
    assert "Statement 00000000-0000-0000-0000-00000000004d replaces it." in text
    assert "Nobody" not in text
    assert "1 November 2026 to 14 November 2026, 10:30" in text
    assert "as the subscription ended" in text
    assert "Subscriptions agreed with Example Software GmbH are invoiced by Example Software GmbH." in text
    assert "Microsoft is the merchant of record for subscriptions bought in the Azure Marketplace" in text
    assert "Active users of the month 3 Total of the month 13.50 EUR" in text


def test_a_months_total_leaves_out_microsofts_charge_for_seats():
    by_seats = record(public_id=uuid.UUID(int=6), quantity=5, total=Decimal("31.50"))
    text = text_of(
        statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(),)), ClosedBill(by_seats, (line("Cleo"),))])
    )

    assert "Active users of the month 4 Total without seats 9.00 EUR" in text


def test_a_month_with_only_void_records_has_no_total():
    void = record(state=State.VOID, voided_at=dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC), void_reason="a mistake")
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(void, ())]))

    assert "Void: not to be paid" in text
    assert "9.00" not in text


def test_a_month_without_active_users_has_a_statement_of_nothing():
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(active_users=0, total=Decimal(0)), ())]))

    assert "Nobody was active in this period." in text
    assert "0.00 EUR" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "□□□"),
        ("🙂 Ben", "□ Ben"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}da", "Ada"),
        ("Jose\u0301", "José"),
        ("Ben\u202eevil", "Benevil"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("დავით", "დავით"),
    ],
)
def test_a_name_is_shown_with_the_letters_of_the_font(name, shown):
    assert shown in text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(name),))]))


def test_hebrew_is_printed_in_reading_order():
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (line("דוד"),))]))

    assert "דוד"[::-1] in text or "דוד" in text


def test_wide_names_and_addresses_are_wrapped_and_complete():
    name, email = "Anna-Maria Wolfeschlegelsteinhausenbergerdorff-Schmidt", f"{'long.' * 50}@contoso.example"
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (line(name, email),))]))
    letters = "".join(text.split())

    assert letters.count("long.") == 50
    assert "Wolfeschlegel" in text


@settings(max_examples=tries(5))  # of up to 60 names each
@given(st.lists(st.text(max_size=200), min_size=1, max_size=60), st.text(max_size=200))
def test_no_name_makes_a_statement_fail(names, tenant):
    lines = tuple(line(name, name) for name in names)

    assert statement(tenant, NOVEMBER, [ClosedBill(record(void_reason=tenant), lines)]).startswith(b"%PDF-")


def test_only_people_of_the_same_name_and_address_get_a_short_id():
    sam = replace(line("Sam", "sam@contoso.example"), user_id=uuid.UUID(int=0xABCD1234 << 96))
    twin = replace(line("SAM", "Sam@contoso.example"), user_id=uuid.UUID(int=2))
    earlier, namesake = replace(sam, activity_month=NOVEMBER.previous), line("Sam", "sam.two@contoso.example")
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), (sam, twin, earlier, namesake))]))

    assert text.count("Sam (abcd1234)") == 2
    assert text.count("SAM (00000000)") == 1
    assert "Sam sam.two@contoso.example" in text


def test_european_letters_are_printed_unchanged():
    blocks = [(0xC0, 0x17F), (0x391, 0x3A1), (0x3A3, 0x3CE), (0x400, 0x4FF), (0x1EA0, 0x1EF9), (0x531, 0x556)]
    letters = [chr(each) for first, last in blocks for each in range(first, last + 1)]
    names = ["".join(letters[at : at + 8]) for at in range(0, len(letters), 8)]
    text = text_of(statement("Contoso", NOVEMBER, [ClosedBill(record(), tuple(map(line, names)))]))

    assert [name for name in names if name not in text] == []


@given(st.integers(0, 2**31), st.integers(1, 40 * 86_400))
def test_a_period_includes_its_last_day(start, seconds):
    starts_at = dt.datetime.fromtimestamp(start, dt.UTC)
    ends_at = starts_at + dt.timedelta(seconds=seconds)
    first, last = period_days(starts_at, ends_at, BERLIN)
    inside = ends_at.astimezone(BERLIN)
    whole_days = inside.time() == dt.time()

    assert first.startswith(f"{starts_at.astimezone(BERLIN).day} ")
    assert last.startswith(f"{(inside - dt.timedelta(days=whole_days)).day} ")
    assert ("," in last) != whole_days


def test_the_months_of_a_year_have_their_names():
    shown = [period_days(*each, ZoneInfo("UTC"))[0] for each in itertools.pairwise(firsts(2026))]

    assert shown[:3] == ["1 January 2026", "1 February 2026", "1 March 2026"]
    assert len(set(shown)) == 12


def firsts(year):
    return [dt.datetime(year + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC) for month in range(13)]
