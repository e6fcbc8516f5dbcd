"""Ends the invitations that nobody claimed in time, and gives their seats back."""

import datetime as dt

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.work import SERVICE
from tenants.invitations import store as invitations_store
from tenants.new_rows import NewId
from tenants.seat_store import give_seat_back


def end_lapsed(tx: sa.Connection, tenant_id: int, *, now: dt.datetime, new_id: NewId) -> int:
    """How many invitations of a tenant it ended; the tenant must be held. Their rows stay."""
    ended = [
        user_id
        for user_id in invitations_store.lapsed(tx, tenant_id, now=now)
        if invitations_store.end(tx, tenant_id, user_id, now=now)
    ]
    for user_id in ended:
        give_seat_back(tx, tenant_id, now=now)
        audit.record_row(
            tx,
            tenant_id,
            Action.INVITATION_ENDED,
            actor=SERVICE,
            at=now,
            row_id=new_id(),
            subject_user_id=user_id,
            before={"isActive": True},
            after={"isActive": False},
        )
    return len(ended)
