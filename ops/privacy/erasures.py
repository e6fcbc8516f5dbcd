"""The commands of erasures: `privacy requests`, `erase`, `verify`, `hold`, `release`, `withdraw` and `run`."""

from typing import Annotated, Any, Final

import typer

from ops import personal
from ops.confirm import DryRun, Yes
from ops.exits import Refused, Unusable
from ops.held import refuse_if_held
from ops.output import AsJson, aside, print_json, print_json_rows, print_rows
from ops.privacy import data as privacy_data
from ops.privacy.app import find_person, find_request, opened_app, require_yes
from ops.tenants.commands import Id, find, find_by_id
from privacy.erasure import flow as erasure_flow
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Channel, Hold
from shared.app import App
from shared.jobs import JobFailed
from shared.work import OPERATOR


app = typer.Typer(help="People's data: erasures, holds, exports, retention.", no_args_is_help=True)
privacy_data.register(app)
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="its id; see: python -m ops privacy requests")]
Subject = Annotated[str, typer.Argument(metavar="REQUEST|TENANT", help="a request's id, or a tenant's slug or id")]
_COLUMNS: Final = (
    "REQUEST",
    "TENANT",
    "OF",
    "ASKED BY",
    "STATE",
    "HOLD",
    "ASKED (UTC)",
    "FROM (UTC)",
    "DUE (UTC)",
)


@app.command("requests")
def list_requests(
    *,
    every: Annotated[bool, typer.Option("--all", help="also what is done or taken back")] = False,
    as_json: AsJson = False,
) -> None:
    """List requests for erasure, the most urgent first; by ids, never by names."""
    with opened_app() as (running, _), running.transaction(reads_only=True) as tx:
        found = requests_store.everywhere(tx, closed_too=every)
    documents = [_document(slug, request) for slug, request in found]
    if as_json:
        print_json_rows(documents)
    else:
        print_rows(_COLUMNS, ([*document.values()][:9] for document in documents), nothing="Nobody has asked.")


@app.command()
def erase(
    name: Id,
    user: Annotated[str | None, typer.Option(help=f"{personal.HELP}; else the whole tenant")] = None,
    *,
    verified: Annotated[bool, typer.Option("--verified", help="you have checked who asks: go on at once")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a request for erasure down, for somebody who asked you."""
    with opened_app() as (running, database):
        tenant = find_by_id(database, name).tenant
        person = None if user is None else find_person(running, tenant.id, user)
        whom = f"the whole of {tenant.slug}" if person is None else f"one person of {tenant.slug}"
        require_yes(f"Put down a request to erase {whom}?", yes=yes)
        given: dict[str, Any] = {
            "channel": Channel.OPERATOR,
            "by": None,
            "now": running.now(),
            "new_id": running.new_id,
        }
        with running.transaction() as tx:
            if person is None:
                request, _ = requests_service.of_tenant(tx, tenant.id, **given)
            else:
                request, _ = requests_service.of_person(tx, person, **given)
            if verified:
                request = _verify(running, tx, request)
        _tell(tenant.slug, request, as_json=as_json)


@app.command()
def verify(request_id: RequestId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Say that you have checked who asks; it is carried out at the next run."""
    with opened_app() as (running, _):
        slug, request = _required(running, request_id)
        require_yes(f"Have you checked who asks for {request.public_id}?", yes=yes)
        with running.transaction() as tx:
            request = _verify(running, tx, request)
        _tell(slug, request, as_json=as_json)


@app.command()
def hold(
    subject: Subject,
    reason: Annotated[Hold, typer.Option(help="legalClaim, legalObligation or authorityOrder")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have a request wait, or a whole tenant: while it is held nothing of it is erased or expires."""
    if not reason.is_legal:
        raise Unusable("a hold by an operator is legal: legalClaim, legalObligation or authorityOrder")
    with opened_app() as (running, database):
        found = find_request(running, subject)
        require_yes(f"Hold {subject}?", yes=yes)
        now, new_id = running.now(), running.new_id
        if found is not None:
            with running.transaction() as tx:
                request = requests_service.hold(tx, found[1], reason, actor=OPERATOR, now=now, new_id=new_id)
            _tell(found[0], request, as_json=as_json)
            return
        tenant = find(database, subject).tenant
        with running.transaction() as tx:
            requests_service.hold_all(tx, tenant.id, reason, now=now, new_id=new_id)
        aside().print(f"{tenant.slug} is held; the audit log has it.")


@app.command()
def release(subject: Subject, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Have a request, or a tenant, that was held go on."""
    with opened_app() as (running, database):
        found = find_request(running, subject)
        require_yes(f"Release {subject}?", yes=yes)
        now, new_id = running.now(), running.new_id
        if found is not None:
            with running.transaction() as tx:
                request = requests_service.release(tx, found[1], actor=OPERATOR, now=now, new_id=new_id)
            _tell(found[0], request, as_json=as_json)
            return
        tenant = find(database, subject).tenant
        with running.transaction() as tx:
            requests_service.release_all(tx, tenant.id, now=now, new_id=new_id)
        aside().print(f"{tenant.slug} is held no more; the audit log has it.")


@app.command()
def withdraw(request_id: RequestId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take a request back, for whoever made it."""
    with opened_app() as (running, _):
        slug, request = _required(running, request_id)
        require_yes(f"Take {request.public_id} back?", yes=yes)
        with running.transaction() as tx:
            actor, now = OPERATOR, running.now()
            request = requests_service.withdraw(tx, request, actor=actor, now=now, new_id=running.new_id)
        _tell(slug, request, as_json=as_json)


@app.command()
def run(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Carry out every request whose time has come; exit code 1 when some failed."""
    with opened_app() as (running, _):
        if dry_run:
            with running.transaction(reads_only=True) as tx:
                due = len(requests_store.due(tx, running.now()))
            aside().print(f"A dry run: {due} to look at, nothing was changed.")
            return
        refuse_if_held(running)
        try:
            done = erasure_flow.carry_out_due(running).changed
        except JobFailed as failed:
            raise Refused(str(failed)) from failed
    if as_json:
        print_json({"done": done})
    else:
        aside().print(f"{done} carried out.")


def _required(running: App, request_id: str) -> tuple[str, Request]:
    found = find_request(running, request_id)
    if found is None:
        raise Unusable(f"no request has the id {request_id!a}; see: python -m ops privacy requests --all")
    return found


def _verify(running: App, tx: Any, request: Request) -> Request:  # noqa: ANN401 - a connection
    actor, now = OPERATOR, running.now()
    return requests_service.verify(tx, request, actor=actor, now=now, new_id=running.new_id)


def _tell(slug: str, request: Request, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(slug, request))
    else:
        held = "" if request.hold is None else f" ({request.hold})"
        aside().print(f"{request.public_id} of {slug} is {request.state}{held}; the audit log has it.")


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
