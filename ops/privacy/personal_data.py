"""The commands `privacy export`, `retention`, `nominee`, `list-erased`, `erase-again` and `list-damaged`."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ops import arguments
from ops.confirm import DryRun, Yes, require_yes
from ops.database import describe_error
from ops.errors import REJECTED, CommandRejected, ItemNotFound, WrongUsage
from ops.output import AsJson, print_fields, print_json, print_json_rows, print_rows, print_wrapped_rows, stderr_console
from ops.privacy.app import find_person, open_privacy_app
from ops.restore_hold import require_not_held
from ops.tenants.commands import TenantId, find_tenant_by_id
from ops.work import operator_work
from privacy.erasure import damage_store
from privacy.export import flow as export_flow
from privacy.export import service as export_service
from privacy.export.schemas import Format
from privacy.export.service import ExportSubject
from privacy.requests import store as requests_store
from privacy.restore import flow as restore_flow
from privacy.restore.flow import RepeatResult
from privacy.retention import service
from privacy.retention import store as retention_store
from privacy.retention.rules import RETENTION, RetentionClass
from privacy.rights.service import read_nominee
from shared.app import App
from shared.db.retry import for_jobs
from shared.jobs import in_batches, transact


_ERASED: Final = ("TENANT", "SUBJECT", "ERASED (UTC)")
_RETENTION: Final = ("CLASS", "PERIOD", "BASIS", "ACTION", "EXPIRED")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    for command in (export, retention, nominee, list_erased, erase_again, list_damaged):
        app.command()(command)


def export(
    name: TenantId,
    out: Annotated[Path, typer.Option(metavar="FILE", help="the file to write; it must not exist")],
    user: Annotated[
        str | None, typer.Option(metavar="USER", help=f"{arguments.PERSON}; the whole tenant by default")
    ] = None,
    file_format: Annotated[Format, typer.Option("--format", help="format of the file")] = Format.ZIP,
) -> None:
    """Export all data of a person or a tenant to a file.

    Recorded in the audit log. A tenant's export has the titles of all stored work items; a person's has the titles
    that the person may see.
    """
    with open_privacy_app() as (product, database):
        tenant = find_tenant_by_id(database, name).tenant
        user_id = None if user is None else find_person(product, tenant.id, user).id
        subject = ExportSubject(tenant.id, user_id, reader_id=user_id)
        try:
            with out.open("xb") as file:
                export_flow.write(product, subject, file, as_zip=file_format is Format.ZIP)
        except FileExistsError as error:
            raise WrongUsage(f"{out} exists already; nothing was written") from error
        with operator_work(product, tenant.id) as work:
            export_service.record(work, subject, file_format=file_format.value)
    stderr_console().print(f"{out} was written; recorded in the audit log.")


def retention(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Show the retention periods and delete expired data.

    --dry-run only counts it. Each class of each tenant has its own transactions; exit code 1 if one failed.
    """
    with open_privacy_app() as (product, _):
        if not dry_run:
            require_not_held(product)
        result = _apply_retention(product, dry_run=dry_run)
    if as_json:
        print_json([_with_count(each, result.expired) for each in _documents()])
    else:
        print_wrapped_rows(_RETENTION, ([*_with_count(each, result.expired).values()] for each in _documents()))
        stderr_console().print("Dry run: nothing was deleted." if dry_run else f"{result.deleted} rows were deleted.")
    for line in result.failures:
        stderr_console().print(line, markup=False)
    if result.failures:
        raise typer.Exit(REJECTED)


def nominee(
    name: TenantId,
    user: Annotated[str, typer.Argument(metavar="USER", help=arguments.PERSON)],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show a person's nominee.

    Check the identity of the requester first. Recorded in the audit log.
    """
    with open_privacy_app() as (product, database):
        tenant = find_tenant_by_id(database, name).tenant
        person = find_person(product, tenant.id, user)
        require_yes("Have you checked the requester's identity? This is recorded in the audit log.", yes=yes)
        with operator_work(product, tenant.id) as work:
            found = read_nominee(work, person.id)
    if found is None:
        raise ItemNotFound("this person has no nominee")
    fields = {"name": found.name, "contact": found.contact, "namedAt": found.named_at}
    if as_json:
        print_json(fields)
    else:
        print_fields("Nominee", fields)


def list_erased(*, as_json: AsJson = False) -> None:
    """List the ids of erased people and tenants.

    Store the list apart from the backups, for erase-again.
    """
    with open_privacy_app() as (product, _), product.transaction(reads_only=True) as tx:
        rows = [(row.tenant, row.subject_id, row.erased_at) for row in requests_store.list_erasures(tx)]
    if as_json:
        print_json_rows({"tenant": tenant, "subject": subject, "erasedAt": at} for tenant, subject, at in rows)
    else:
        print_rows(_ERASED, rows, empty="No erasures.")


def list_damaged(*, as_json: AsJson = False) -> None:
    """List log rows damaged by an erasure of an earlier version."""
    with open_privacy_app() as (product, _), product.transaction(reads_only=True) as tx:
        rows = [(each.tenant, each.log, each.row) for each in damage_store.list_damaged(tx)]
    if as_json:
        print_json_rows({"tenant": tenant, "log": log, "row": row} for tenant, log, row in rows)
    else:
        print_rows(("TENANT", "LOG", "ROW"), rows, empty="No damaged rows.")


def erase_again(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="output of: ops privacy list-erased --json")],
    *,
    yes: Yes = False,
) -> None:
    """Erase again, in a restored database, from a list."""
    try:
        subjects = [(uuid.UUID(row["tenant"]), uuid.UUID(row["subject"])) for row in json.loads(file.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUsage(f"{file} is not the output of: ops privacy list-erased --json") from error
    with open_privacy_app() as (product, _):
        require_yes(f"Erase those of the {len(subjects)} subjects again that are in this database?", yes=yes)
        results = restore_flow.repeat_erasures(product, subjects)
    done, waiting, rejected = results[RepeatResult.DONE], results[RepeatResult.WAITING], results[RepeatResult.REFUSED]
    stderr_console().print(f"{done} erased again, {waiting} on legal hold, {rejected} rejected.")
    if waiting or rejected:
        raise CommandRejected("some were not erased; see: ops privacy requests")


@dataclass(slots=True)
class _RetentionResult:
    """Expired rows by class, deleted rows, and failures, of all tenants."""

    expired: Counter[RetentionClass] = field(default_factory=Counter)
    deleted: int = 0
    failures: list[str] = field(default_factory=list)


def _apply_retention(product: App, *, dry_run: bool) -> _RetentionResult:
    """Deletes expired rows, unless it is a dry run; a failure of one class does not stop the others."""
    from rich.progress import track  # noqa: PLC0415 - slow to load, and few commands need it

    console, now, retry, result = stderr_console(), product.now(), for_jobs(), _RetentionResult()
    with product.transaction(reads_only=True) as tx:
        slugs = retention_store.tenant_slugs(tx)
    steps = [(*tenant, data_class) for tenant in slugs.items() for data_class in RetentionClass]
    progress = track(steps, "Checking", console=console, transient=True, disable=not console.is_terminal)
    for tenant_id, slug, data_class in progress:
        count = partial(service.count_expired, tenant_id=tenant_id, data_class=data_class, now=now)
        delete = partial(service.remove_batch, tenant_id=tenant_id, data_class=data_class, now=now)
        try:
            result.expired[data_class] += transact(product, tenant_id, count, reads_only=True, retry=retry)
            if not dry_run:
                result.deleted += in_batches(product, tenant_id, delete, retry=retry)
        except Exception as error:  # noqa: BLE001 - one failure must not affect the others
            result.failures.append(f"{slug}: {data_class}: {describe_error(error)}")
    return result


def _documents() -> list[dict[str, Any]]:
    return [
        {
            "class": each.data,
            "period": each.period,
            "basis": each.basis,
            "action": each.action,
            "data_class": each.data_class,
        }
        for each in RETENTION
    ]


def _with_count(document: dict[str, Any], expired: Counter[RetentionClass]) -> dict[str, Any]:
    data_class = document["data_class"]
    fields = {name: value for name, value in document.items() if name != "data_class"}
    return {**fields, "over": None if data_class is None else expired[data_class]}
