"""Writes an export, section by section in the order of the catalog; the action log comes last."""

from typing import BinaryIO

from privacy.export import section_store
from privacy.export import service as export_service
from privacy.export.section_store import ACTIONS, SECTIONS
from privacy.export.service import ExportSubject
from privacy.export.writer import open_export
from shared.app import App
from shared.spreadsheet import EXCEL_EN, Dialect
from tenants.actions import log as action_log
from tenants.invitations import merged_into


def write(
    app: App,
    subject: ExportSubject,
    out: BinaryIO,
    *,
    as_zip: bool,
    dialect: Dialect = EXCEL_EN,
    compressed: bool = False,
) -> None:
    """Writes an export to a file in parts, so its memory does not depend on its size.

    The action log can be an external service, so it is read outside the transaction.
    """
    now = app.now()
    header = export_service.build_header(subject, now=now)
    of_person = subject.user_id is not None
    with open_export(out, header, as_zip=as_zip, dialect=dialect, compressed=compressed) as export:
        with app.transaction(reads_only=True, tenant=subject.tenant_id) as tx:
            people = section_store.list_people(tx, subject.tenant_id, subject.user_id)
            merged = () if subject.user_id is None else merged_into(tx, subject.tenant_id, subject.user_id)
            for name in section_store.section_names(of_person=of_person, is_own=subject.is_own):
                if name != ACTIONS:
                    fields = section_store.section_fields(name, of_person=of_person)
                    rows = section_store.read_rows(
                        tx, name, subject.tenant_id, subject.user_id, merged, reader_id=subject.reader_id, now=now
                    )
                    export.add(name, SECTIONS[name].about, fields, rows)
        actions = export_service.read_actions(action_log.of(app), subject, people)
        export.add(
            ACTIONS, SECTIONS[ACTIONS].about, section_store.section_fields(ACTIONS, of_person=of_person), actions
        )
