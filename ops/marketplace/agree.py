"""The command `marketplace agree`: for a customer of whom nobody else can, once the operator has checked with them."""

import uuid
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import typer

from billing.subscriptions.store import find_live
from ops.confirm import Asked, DryRun, Yes
from ops.exits import Refused, Unusable
from ops.held import refuse_if_held
from ops.marketplace.app import guid_of, opened_marketplace
from ops.output import AsJson, Fields, aside, plain, print_fields, print_json
from shared.app import App
from shared.errors import Conflict, Inconclusive
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR
from webhooks.agreement import service as agreement_service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.approver_rules import TEXTS
from webhooks.agreement.rules import Agreer, Approvers, PurchaseRequest
from webhooks.purchases import flow as purchases_flow
from webhooks.purchases.flow import Agreement


if TYPE_CHECKING:
    from billing.marketplace.client import Marketplace


def agree(
    name: Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Microsoft's id of it")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Agree to a purchase for a customer whose admins are gone, once you have checked with the customer."""
    guid, asked = guid_of(name), Asked(yes, dry_run, as_json)
    with opened_marketplace() as (app, client):
        slug, request, approvers = _read(app, guid)
        _require_operator(None, approvers)
        fields: Fields = {
            "subscription": str(guid),
            "state": request.state,
            "plan": request.plan_id,
            "seats": plain(request.quantity),
            "requestedAt": plain(request.requested_at),
        }
        if not as_json:
            print_fields(slug, fields)
        if not dry_run:
            refuse_if_held(app)
            asked.require_yes("Have you checked with the customer, not only with the buyer? Agree for them?")
            _agree(app, client, request)
            _, request, _ = _read(app, guid)
        if as_json:
            print_json({"tenant": slug, **fields, "state": request.state, "dryRun": dry_run})
        else:
            done = "A dry run: nothing was changed." if dry_run else "It is agreed to; the audit log has it."
            aside().print(done)


def _agree(app: App, client: "Marketplace", request: PurchaseRequest) -> None:
    agreement = Agreement(
        tenant_id=request.tenant_id,
        marketplace_id=request.marketplace_id,
        actor=OPERATOR,
        plan=request.plan_id,
        seats=request.quantity,
        ends_agreement=False,
        check=_require_operator,
    )
    try:
        purchases_flow.agree(app, client, agreement)
    except Inconclusive as error:
        raise Unusable(f"the Marketplace cannot be asked: {error.reason}; the same command goes on") from error
    except Conflict as error:
        raise Refused(error.detail) from error


def _read(app: App, guid: uuid.UUID) -> tuple[str, PurchaseRequest, Approvers]:
    with app.transaction(reads_only=True) as tx:
        request = agreement_store.find_anywhere(tx, guid)
        if request is None:
            raise Unusable(f"nobody has asked for agreement to {guid}; ask the buyer to open the landing page")
        tenant = read_tenant(tx, request.tenant_id)
        live = find_live(tx, tenant.id)
        return tenant.slug, request, agreement_service.load_approvers(tx, tenant, None, request, live, app.now())


def _require_operator(_tx: sa.Connection | None, approvers: Approvers) -> None:
    if approvers.agreer is not Agreer.OPERATOR:
        raise Refused(
            f"{TEXTS[approvers.agreer].name} of the customer has signed in within 30 days and can agree; ask them"
        )
    if approvers.has_agreement:
        raise Refused(
            "the customer has an agreement with you, which a purchase ends only when a super admin says so; to end it "
            "yourself: python -m ops tenants set-plan"
        )
