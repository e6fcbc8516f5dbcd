from tests.support.marketplace import until


def heard(bought, operation):
    """The answers to an event once it was taken, or given up."""
    until(lambda: bought.attempts(operation))
    bought.marketplace.idle()
    return bought.attempts(operation)


def test_more_seats_are_accepted_at_once_and_admit_more_people(bought, owner):
    operation = bought.order("change", quantity=9)
    answers = heard(bought, operation)

    assert answers == [200]
    assert bought.terms == ("subscribed", "seats", 9)
    assert bought.tenant.seat_limit == 9
    assert bought.told == [("ChangeQuantity", "applied")]
    assert owner.post("sign-in").body["tenant"]["seatLimit"] == 9


def test_another_plan_is_accepted_with_its_price(bought, clock):
    clock.tick(days=1)
    operation = bought.order("change", plan="seats-plus")
    answers = heard(bought, operation)

    assert answers == [200]
    assert bought.terms == ("subscribed", "seats-plus", 5)
    assert bought.rates == [("seats", "6.0000", "USD"), ("seats-plus", "9.0000", "USD")]


def test_a_suspension_limits_and_a_reinstatement_restores(bought, owner):
    heard(bought, bought.order("suspend"))
    suspended = owner.start()
    heard(bought, bought.order("reinstate"))
    restored = owner.start()

    assert (suspended.status, suspended.code) == (402, "subscription_suspended")
    assert restored.status == 201
    assert bought.told == [("Suspend", "applied"), ("Reinstate", "applied")]
    assert bought.terms == bought.at_microsoft == ("subscribed", "seats", 5)


def test_the_end_ends_access_and_keeps_the_data(bought, owner):
    owner.start()
    owner.stop()
    heard(bought, bought.order("unsubscribe"))
    refused = owner.start()

    assert (refused.status, refused.code) == (402, "subscription_cancelled")
    assert bought.terms == bought.at_microsoft == ("unsubscribed", "seats", 5)
    assert bought.row.ended_at is not None
    assert len(owner.entries()) == 1


def test_a_renewal_refreshes_the_term(bought):
    before = bought.row.term_ends_at
    heard(bought, bought.order("renew"))

    assert bought.row.term_starts_at > before
    assert bought.told == [("Renew", "applied")]
