"""The commands `privacy requests`, `erase`, `verify`, `hold`, `release`, `withdraw` and `run`: erasure requests."""

from typing import Annotated, Any, Final

import typer

from ops import arguments
from ops.confirm import DryRun, Yes, require_yes
from ops.errors import CommandRejected, ItemNotFound, WrongUsage
from ops.output import AsJson, print_json, print_json_rows, print_rows, stderr_console
from ops.privacy import personal_data
from ops.privacy.app import find_person, find_request, open_privacy_app
from ops.restore_hold import require_not_held
from ops.tenants.commands import TenantId, find_tenant, find_tenant_by_id
from ops.work import operator_work
from privacy.erasure import flow as erasure_flow
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Channel, Hold
from shared.app import App
from shared.jobs import JobFailed


app = typer.Typer(
    help="Personal data: erasure, legal holds, export, retention.", no_args_is_help=True, rich_markup_mode=None
)
personal_data.register(app)
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="id of the request; see: ops privacy requests")]
Subject = Annotated[str, typer.Argument(metavar="REQUEST|TENANT", help="id of a request, or slug or id of a tenant")]
_COLUMNS: Final = (
    "REQUEST",
    "TENANT",
    "SUBJECT",
    "CHANNEL",
    "STATE",
    "HOLD",
    "REQUESTED (UTC)",
    "SCHEDULED (UTC)",
    "DUE (UTC)",
)


@app.command("requests")
def list_requests(
    *,
    include_closed: Annotated[bool, typer.Option("--all", help="include completed and withdrawn requests")] = False,
    as_json: AsJson = False,
) -> None:
    """List erasure requests, most urgent first."""
    with open_privacy_app() as (product, _), product.transaction(reads_only=True) as tx:
        found = requests_store.list_all(tx, include_closed=include_closed)
    documents = [_document(slug, request) for slug, request in found]
    if as_json:
        print_json_rows(documents)
    else:
        print_rows(_COLUMNS, ([*document.values()][:9] for document in documents), empty="No open requests.")


@app.command()
def erase(
    name: TenantId,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help=f"{arguments.PERSON}; the whole tenant by default")
    ] = None,
    *,
    verified: Annotated[bool, typer.Option("--verified", help="you have checked the requester's identity")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Register an erasure request."""
    with open_privacy_app() as (product, database):
        tenant = find_tenant_by_id(database, name).tenant
        person = None if user is None else find_person(product, tenant.id, user)
        subject = f"the whole of {tenant.slug}" if person is None else f"one person of {tenant.slug}"
        require_yes(f"Register a request to erase {subject}?", yes=yes)
        with operator_work(product, tenant.id) as work:
            if person is None:
                request, _ = requests_service.request_tenant_erasure(work, Channel.OPERATOR)
            else:
                request, _ = requests_service.request_person_erasure(work, person, Channel.OPERATOR)
            if verified:
                request = requests_service.verify(work, request)
        _report(tenant.slug, request, as_json=as_json)


@app.command()
def verify(request_id: RequestId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Confirm the identity of the requester.

    The next run carries the request out.
    """
    with open_privacy_app() as (product, _):
        slug, request = _find_request(product, request_id)
        require_yes(f"Have you checked the identity of the requester of {request.public_id}?", yes=yes)
        with operator_work(product, request.tenant_id) as work:
            request = requests_service.verify(work, request)
        _report(slug, request, as_json=as_json)


@app.command()
def hold(
    subject: Subject,
    reason: Annotated[
        Hold, typer.Option(help="reason of the legal hold: legalClaim, legalObligation or authorityOrder")
    ],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Place a legal hold on a request or a whole tenant.

    Nothing of it is erased or expires.
    """
    if not reason.is_legal:
        raise WrongUsage("--reason must be legalClaim, legalObligation or authorityOrder")
    with open_privacy_app() as (product, database):
        found = find_request(product, subject)
        require_yes(f"Place a legal hold on {subject}?", yes=yes)
        if found is not None:
            with operator_work(product, found[1].tenant_id) as work:
                request = requests_service.hold(work, found[1], reason)
            _report(found[0], request, as_json=as_json)
            return
        tenant = find_tenant(database, subject).tenant
        with operator_work(product, tenant.id) as work:
            requests_service.set_legal_hold(work, reason)
        stderr_console().print(f"{tenant.slug} is on legal hold; recorded in the audit log.")


@app.command()
def release(subject: Subject, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Release a request or a tenant from its legal hold."""
    with open_privacy_app() as (product, database):
        found = find_request(product, subject)
        require_yes(f"Release {subject} from its legal hold?", yes=yes)
        if found is not None:
            with operator_work(product, found[1].tenant_id) as work:
                request = requests_service.release(work, found[1])
            _report(found[0], request, as_json=as_json)
            return
        tenant = find_tenant(database, subject).tenant
        with operator_work(product, tenant.id) as work:
            requests_service.lift_legal_hold(work)
        stderr_console().print(f"{tenant.slug} is released; recorded in the audit log.")


@app.command()
def withdraw(request_id: RequestId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Withdraw a request on behalf of the requester."""
    with open_privacy_app() as (product, _):
        slug, request = _find_request(product, request_id)
        require_yes(f"Withdraw {request.public_id}?", yes=yes)
        with operator_work(product, request.tenant_id) as work:
            request = requests_service.withdraw(work, request)
        _report(slug, request, as_json=as_json)


@app.command()
def run(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Erase the data of all due requests.

    Exit code 1 if one failed.
    """
    with open_privacy_app() as (product, _):
        if dry_run:
            with product.transaction(reads_only=True) as tx:
                due = len(requests_store.list_due(tx, product.now()))
            stderr_console().print(f"Dry run: {due} due, nothing was changed.")
            return
        require_not_held(product)
        try:
            done = erasure_flow.execute_due(product).changed
        except JobFailed as failed:
            raise CommandRejected(str(failed)) from failed
    if as_json:
        print_json({"done": done})
    else:
        stderr_console().print(f"Requests completed: {done}.")


def _find_request(product: App, request_id: str) -> tuple[str, Request]:
    found = find_request(product, request_id)
    if found is None:
        raise ItemNotFound(f"no request has the id {request_id!a}; see: ops privacy requests --all")
    return found


def _report(slug: str, request: Request, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(slug, request))
    else:
        held = "" if request.hold is None else f" ({request.hold})"
        stderr_console().print(f"{request.public_id} of {slug} is {request.state}{held}; recorded in the audit log.")


def _document(slug: str, request: Request) -> dict[str, Any]:
    return {
        "id": request.public_id,
        "tenant": slug,
        "of": "the tenant" if request.subject_id is None else str(request.subject_id),
        "channel": request.channel,
        "state": request.state,
        "holdReason": request.hold,
        "requestedAt": request.requested_at,
        "scheduledFor": request.scheduled_for,
        "dueAt": request.due_at,
        "verifiedAt": request.verified_at,
        "endedAt": request.ended_at,
    }
