"""The seats of a month, from the ledger of Microsoft's events to the statement."""

from tests.billing.records.test_statement import text_of
from tests.webhooks.events.test_events import wait_for_responses


def change(purchase, **value):
    """A change that we accept, and that Microsoft then puts in force."""
    operation = purchase.execute("change", **value)
    assert wait_for_responses(purchase, operation) == [200]
    path = f"saas/subscriptions/{purchase.id}/operations/{operation}"
    assert purchase.marketplace.send("PATCH", path, {"status": "Success"}).ok


def test_seats_and_plans_that_changed_are_on_the_statement_of_the_last_month(purchase, owner, clock):
    clock.tick(days=2)
    change(purchase, quantity=9)
    clock.tick(days=2)
    change(purchase, plan="seats-plus")
    clock.tick(days=1)
    change(purchase, quantity=4)
    clock.tick(hours=12)
    assert wait_for_responses(purchase, purchase.execute("unsubscribe")) == [200]
    (record,) = owner.get("billing/records/2026-11").body["records"]
    text = text_of(owner.get("billing/records/2026-11/statement").raw)

    assert [(each["plan"], each["quantity"], each["listedPrice"], each["termUnit"]) for each in record["seats"]] == [
        ("seats", 5, "6.00", "P1M"),
        ("seats", 9, "6.00", "P1M"),
        ("seats-plus", 9, "9.00", "P1M"),
        ("seats-plus", 4, "9.00", "P1M"),
    ]
    assert [each["periodTo"] for each in record["seats"][:-1]] == [each["periodFrom"] for each in record["seats"][1:]]
    assert (record["seats"][0]["periodFrom"], record["seats"][-1]["periodTo"]) == (
        record["periodFrom"],
        record["periodTo"],
    )
    assert "total" not in record
    for part in (
        "23 November 2026, 09:00 25 November 2026, 09:00 5 6.00 USD per month 30.00 USD per month",
        "25 November 2026, 09:00 27 November 2026, 09:00 9 6.00 USD per month 54.00 USD per month",
        "27 November 2026, 09:00 28 November 2026, 09:00 9 9.00 USD per month 81.00 USD per month",
        "28 November 2026, 09:00 28 November 2026, 21:00 4 9.00 USD per month 36.00 USD per month",
        "Microsoft's invoice decides.",
    ):
        assert part in text
    assert "Total" not in text
