"""Makes an export: a section after the other, in the order of the catalogue, and the action log from where it is."""

from typing import BinaryIO

from privacy.export import section_store
from privacy.export import service as export_service
from privacy.export.section_store import ACTIONS, SECTIONS
from privacy.export.service import Subject
from privacy.export.writer import writing
from shared.app import App
from shared.spreadsheet import EXCEL_EN, Dialect
from tenants.actions import log as action_log
from tenants.invitations import merged_into


def write(
    app: App, subject: Subject, out: BinaryIO, *, as_zip: bool, dialect: Dialect = EXCEL_EN, compressed: bool = False
) -> None:
    """Writes all that is held to a file, as it comes: however much it is, a part of it is in memory.

    The action log may be a service of its own, so it is asked outside the transaction.
    """
    now = app.now()
    about = export_service.about(subject, now=now)
    of_person = subject.user_id is not None
    with writing(out, about, as_zip=as_zip, dialect=dialect, compressed=compressed) as export:
        with app.transaction(reads_only=True, tenant=subject.tenant_id) as tx:
            people = section_store.people(tx, subject.tenant_id, subject.user_id)
            merged = () if subject.user_id is None else merged_into(tx, subject.tenant_id, subject.user_id)
            for name in section_store.names(of_person=of_person, is_own=subject.is_own):
                if name != ACTIONS:
                    fields = section_store.fields(name, of_person=of_person)
                    rows = section_store.rows(
                        tx, name, subject.tenant_id, subject.user_id, merged, reader_id=subject.reader_id, now=now
                    )
                    export.add(name, SECTIONS[name].about, fields, rows)
        actions = export_service.actions(action_log.of(app), subject, people)
        export.add(ACTIONS, SECTIONS[ACTIONS].about, section_store.fields(ACTIONS, of_person=of_person), actions)
