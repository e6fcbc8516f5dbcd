"""Purchases that need agreement, on the wire."""

import uuid
from typing import Annotated, Literal, Self

from pydantic import Field

from shared.http.wire import Instant, Problem, WireModel
from webhooks.agreement.rules import Agreer, Approvers, PurchaseRequest, RequestState


class PurchasePerson(WireModel):
    """A person with an account in your organization."""

    id: str
    display_name: str | None = Field(None, description="omitted when the processing of their data is restricted")

    @classmethod
    def of(cls, person: tuple[uuid.UUID, str] | None) -> Self | None:
        return None if person is None else cls(id=str(person[0]), display_name=person[1] or None)


class Purchase(WireModel):
    """A purchase for your organization by a buyer without the right to agree to it."""

    id: str = Field(description="the Marketplace's subscription id")
    state: RequestState
    plan: str
    quantity: int | None = Field(None, description="seats, on a plan with seats")
    term_unit: str | None = Field(None, examples=["P1M"])
    buyer: PurchasePerson | None = Field(None, description="the billing contact; omitted when the buyer has no account")
    requested_at: Instant
    agreer: Agreer | None = Field(
        None,
        description="the approver: a super admin; an admin other than the buyer, if no super admin has signed in for "
        "30 days; else an operator of the vendor. Omitted once it is agreed or canceled",
    )
    may_agree: bool = Field(description="whether you may agree to it or decline it")
    ends_agreement: bool = Field(description="whether it would end your agreement with the vendor")
    decided_by: PurchasePerson | None = Field(None, description="omitted for the vendor and Microsoft")
    decided_at: Instant | None = None

    @classmethod
    def of(
        cls,
        request: PurchaseRequest,
        approvers: Approvers,
        people: dict[int, tuple[uuid.UUID, str]],
        *,
        may_agree: bool,
    ) -> Self:
        is_open = request.state in {RequestState.WAITING, RequestState.DECLINED}
        return cls(
            id=str(request.marketplace_id),
            state=request.state,
            plan=request.plan_id,
            quantity=request.quantity,
            term_unit=request.term_unit or None,
            buyer=PurchasePerson.of(people.get(request.buyer_id or 0)),
            requested_at=request.requested_at,
            agreer=approvers.agreer if is_open else None,
            may_agree=is_open and may_agree,
            ends_agreement=is_open and approvers.has_agreement,
            decided_by=PurchasePerson.of(people.get(request.decider_id or 0)),
            decided_at=request.decided_at,
        )


class Purchases(WireModel):
    items: list[Purchase] = Field(description="newest first, the last 100")


class AgreePurchase(WireModel):
    """The terms that you agree to, as you saw them."""

    plan: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Annotated[int, Field(ge=0)] | None = Field(None, description="seats, on a plan with seats")
    end_agreement: bool = Field(
        default=False,
        description="ends your agreement with the vendor once the purchase is active; required with `endsAgreement`",
    )


class PurchaseChangedProblem(Problem):
    code: Literal["purchase_changed"]
    state: RequestState
    purchase: str = Field(description="id of the purchase")
    plan: str = Field(description="the plan as it is now")
    quantity: int | None = Field(None, description="the seats as they are now, on a plan with seats")


class PurchaseCancelledProblem(Problem):
    code: Literal["purchase_cancelled"]
    state: Literal[RequestState.CANCELLED]
    purchase: str = Field(description="id of the purchase")


class PurchaseAgreedProblem(Problem):
    code: Literal["purchase_agreed"]
    state: Literal[RequestState.AGREED]
    purchase: str = Field(description="id of the purchase")
