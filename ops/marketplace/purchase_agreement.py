"""The command `marketplace agree`: an operator agrees to a purchase for a customer without an admin."""

import uuid
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import typer

from billing.subscriptions.store import find_live
from ops.confirm import DryRun, Yes, require_yes
from ops.errors import CommandRejected, ItemNotFound, ServiceUnavailable
from ops.marketplace.app import open_marketplace, parse_marketplace_id
from ops.output import AsJson, Fields, print_fields, print_json, stderr_console, to_json
from ops.restore_hold import require_not_held
from shared.app import App
from shared.errors import Conflict, Inconclusive
from shared.jobs import job_work
from shared.work import OPERATOR
from webhooks.agreement import service as agreement_service
from webhooks.agreement import store as agreement_store
from webhooks.agreement.approver_rules import TEXTS
from webhooks.agreement.rules import Agreer, Approvers, PurchaseRequest
from webhooks.purchases import flow as purchases_flow
from webhooks.purchases.flow import Agreement


if TYPE_CHECKING:
    from billing.marketplace.client import MarketplaceClient


def agree(
    name: Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Microsoft's id of the subscription")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Agree to a purchase for a customer without active admins.

    Check with the customer first.
    """
    guid = parse_marketplace_id(name)
    with open_marketplace() as (app, client):
        slug, request, approvers = _read(app, guid)
        _require_operator(None, approvers)
        fields: Fields = {
            "subscription": str(guid),
            "state": request.state,
            "plan": request.plan_id,
            "seats": to_json(request.quantity),
            "requestedAt": to_json(request.requested_at),
        }
        if not as_json:
            print_fields(slug, fields)
        if not dry_run:
            require_not_held(app)
            require_yes("Has the customer confirmed it, and not only the buyer? Agree for the customer?", yes=yes)
            _agree(app, client, request)
            _, request, _ = _read(app, guid)
        if as_json:
            print_json({"tenant": slug, **fields, "state": request.state, "dryRun": dry_run})
        else:
            stderr_console().print("Dry run: nothing was changed." if dry_run else "Agreed; recorded in the audit log.")


def _agree(app: App, client: "MarketplaceClient", request: PurchaseRequest) -> None:
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
        raise ServiceUnavailable(
            f"the Marketplace is unavailable: {error.reason}; run the same command again"
        ) from error
    except Conflict as error:
        raise CommandRejected(error.detail) from error


def _read(app: App, guid: uuid.UUID) -> tuple[str, PurchaseRequest, Approvers]:
    with app.transaction(reads_only=True) as tx:
        request = agreement_store.find_anywhere(tx, guid)
        if request is None:
            raise ItemNotFound(f"{guid} does not wait for agreement; ask the buyer to open the landing page")
        work = job_work(app, tx, request.tenant_id, actor=OPERATOR)
        live = find_live(tx, work.tenant.id)
        return work.tenant.slug, request, agreement_service.load_approvers(work, None, request, live)


def _require_operator(_tx: sa.Connection | None, approvers: Approvers) -> None:
    if approvers.agreer is not Agreer.OPERATOR:
        raise CommandRejected(
            f"{TEXTS[approvers.agreer].name} of the customer has signed in within 30 days and can agree"
        )
    if approvers.has_agreement:
        raise CommandRejected(
            "the customer has a direct agreement, and only a super admin can end it with a purchase; to end it "
            "yourself: ops tenants set-plan"
        )
