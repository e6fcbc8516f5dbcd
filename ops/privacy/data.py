"""The commands `privacy export`, `retention`, `nominee`, `erased`, `reapply` and `damaged`: what is held, how long."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ops import personal
from ops.confirm import DryRun, Yes
from ops.database import reason
from ops.exits import REFUSED, Refused, Unusable
from ops.held import refuse_if_held
from ops.output import AsJson, aside, print_fields, print_json, print_json_rows, print_rows
from ops.privacy.app import find_person, opened_app, require_yes
from ops.tenants.commands import Id, find_by_id
from privacy.erasure import damage_store
from privacy.export import flow as export_flow
from privacy.export import service as export_service
from privacy.export.schemas import Format
from privacy.export.service import Subject
from privacy.requests import store as requests_store
from privacy.restore import flow as restore_flow
from privacy.restore.flow import Again
from privacy.retention import service
from privacy.retention import store as retention_store
from privacy.retention.rules import RETENTION, Kept
from privacy.rights.service import read_nominee
from shared.app import App
from shared.db.retry import for_jobs
from shared.jobs import in_batches, transact
from shared.work import OPERATOR


_ERASED: Final = ("TENANT", "SUBJECT", "ERASED (UTC)")
_RETENTION: Final = ("CLASS", "PERIOD", "BASIS", "ACTION", "OVER")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    for command in (export, retention, nominee, erased, reapply, damaged):
        app.command(command.__name__)(command)


def export(
    name: Id,
    out: Annotated[Path, typer.Option(help="the file to write; it must not be there")],
    user: Annotated[str | None, typer.Option(help=f"{personal.HELP}; else the whole tenant")] = None,
    file_format: Annotated[Format, typer.Option("--format")] = Format.ZIP,
) -> None:
    """Write everything that is held about a person or a tenant to a file, as it comes. On the audit log.

    Of a tenant with the titles of all work items that are kept; of a person with those that they may see.
    """
    with opened_app() as (running, database):
        tenant = find_by_id(database, name).tenant
        user_id = None if user is None else find_person(running, tenant.id, user).id
        subject = Subject(tenant.id, user_id, reader_id=user_id)
        try:
            with out.open("xb") as file:
                export_flow.write(running, subject, file, as_zip=file_format is Format.ZIP)
        except FileExistsError as error:
            raise Unusable(f"{out} is there already; nothing was written") from error
        with running.transaction() as tx:
            now, row_id = running.now(), running.new_id()
            actor, written = OPERATOR, file_format.value
            export_service.record(tx, subject, file_format=written, actor=actor, now=now, row_id=row_id)
    aside().print(f"{out} is written; the audit log has it.")


def retention(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Show what is kept how long, and remove what is over; with --dry-run only count it.

    Each class of each tenant has its own turn; exit code 1 when one failed.
    """
    with opened_app() as (running, _):
        if not dry_run:
            refuse_if_held(running)
        found = _removed(running, dry_run=dry_run)
    if as_json:
        print_json([_retained(each, found.over) for each in _documents()])
    else:
        print_rows(_RETENTION, ([*_retained(each, found.over).values()] for each in _documents()), nothing="")
        aside().print("A dry run: nothing was removed." if dry_run else f"{found.removed} rows were removed.")
    for line in found.failed:
        aside().print(line, markup=False)
    if found.failed:
        raise typer.Exit(REFUSED)


def nominee(
    name: Id,
    user: Annotated[str, typer.Argument(metavar="USER", help=personal.HELP)],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show whom a person named to act for them. Only when you have checked who asks; on the audit log."""
    with opened_app() as (running, database):
        tenant = find_by_id(database, name).tenant
        person = find_person(running, tenant.id, user)
        require_yes("Have you checked who asks? Reading goes on the audit log.", yes=yes)
        with running.transaction() as tx:
            named = read_nominee(tx, tenant.id, person.id, now=running.now(), new_id=running.new_id)
    if named is None:
        raise Refused("this person has named nobody")
    fields = {"name": named.name, "contact": named.contact, "namedAt": named.named_at}
    if as_json:
        print_json(fields)
    else:
        print_fields("Nominee", fields)


def erased(*, as_json: AsJson = False) -> None:
    """List who is erased, by ids alone. Keep it apart from the backups, for `reapply`."""
    with opened_app() as (running, _), running.transaction(reads_only=True) as tx:
        rows = [(row.tenant, row.subject_id, row.erased_at) for row in requests_store.all_erased(tx)]
    if as_json:
        print_json_rows({"tenant": tenant, "subject": subject, "erasedAt": at} for tenant, subject, at in rows)
    else:
        print_rows(_ERASED, rows, nothing="Nobody is erased.")


def damaged(*, as_json: AsJson = False) -> None:
    """List the rows of both logs whose documents an erasure of an earlier version damaged, by ids alone."""
    with opened_app() as (running, _), running.transaction(reads_only=True) as tx:
        rows = [(each.tenant, each.log, each.row) for each in damage_store.listed(tx)]
    if as_json:
        print_json_rows({"tenant": tenant, "log": log, "row": row} for tenant, log, row in rows)
    else:
        print_rows(("TENANT", "LOG", "ROW"), rows, nothing="No document is damaged.")


def reapply(
    file: Annotated[Path, typer.Argument(help="what `erased --json` has printed")], *, yes: Yes = False
) -> None:
    """Erase everybody on the list again, in a database that came back from a backup."""
    try:
        listed = [(uuid.UUID(row["tenant"]), uuid.UUID(row["subject"])) for row in json.loads(file.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{file} is not a list that `privacy erased --json` has printed") from error
    with opened_app() as (running, _):
        require_yes(f"Erase again whoever of {len(listed)} is back?", yes=yes)
        again = restore_flow.erase_again(running, listed)
    done, waiting, refused = again[Again.DONE], again[Again.WAITS], again[Again.REFUSED]
    aside().print(f"{done} were back and are erased, {waiting} are on hold, {refused} were refused.")
    if waiting or refused:
        raise Refused("some could not be erased; see: python -m ops privacy requests")


@dataclass(slots=True)
class _Found:
    """How many rows of each class were over, of all tenants, how many were removed, and why a turn failed."""

    over: Counter[Kept] = field(default_factory=Counter)
    removed: int = 0
    failed: list[str] = field(default_factory=list)


def _removed(running: App, *, dry_run: bool) -> _Found:
    """What is over, removed unless it is a dry run; what fails keeps nothing else from its turn."""
    from rich.progress import track  # noqa: PLC0415 - slow to load, and few commands need it

    console, now, retry, found = aside(), running.now(), for_jobs(), _Found()
    with running.transaction(reads_only=True) as tx:
        slugs = retention_store.tenant_slugs(tx)
    turns = [(*tenant, kept) for tenant in slugs.items() for kept in Kept]
    looking = track(turns, "Looking", console=console, transient=True, disable=not console.is_terminal)
    for tenant_id, slug, kept in looking:
        count = partial(service.expired, tenant_id=tenant_id, kept=kept, now=now)
        some = partial(service.remove_some, tenant_id=tenant_id, kept=kept, now=now)
        try:
            found.over[kept] += transact(running, tenant_id, count, reads_only=True, retry=retry)
            if not dry_run:
                found.removed += in_batches(running, tenant_id, some, retry=retry)
        except Exception as error:  # noqa: BLE001 - one turn's failure must not reach the others
            found.failed.append(f"{slug}: {kept}: {reason(error)}")
    return found


def _documents() -> list[dict[str, Any]]:
    return [
        {"class": each.what, "period": each.period, "basis": each.basis, "action": each.action, "kept": each.kept}
        for each in RETENTION
    ]


def _retained(document: dict[str, Any], over: Counter[Kept]) -> dict[str, Any]:
    kept = document["kept"]
    fields = {name: value for name, value in document.items() if name != "kept"}
    return {**fields, "over": None if kept is None else over[kept]}
