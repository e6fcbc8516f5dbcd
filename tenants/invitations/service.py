"""Ends expired invitations."""

from dataclasses import replace

from shared import audit
from shared.audit import Action
from shared.work import SERVICE, Work
from tenants.invitations import store as invitations_store
from tenants.seat_store import give_seat_back


def end_expired(work: Work) -> int:
    """Closes the tenant's expired invitations and gives their seats back; returns their number. Lock the tenant first.

    The rows stay. The audit log names the service as the actor, also during a person's request.
    """
    by_service = replace(work, actor=SERVICE)
    ended = [
        user_id
        for user_id in invitations_store.find_expired(work.tx, work.tenant.id, now=work.now)
        if invitations_store.end(work.tx, work.tenant.id, user_id, now=work.now)
    ]
    for user_id in ended:
        give_seat_back(work.tx, work.tenant.id, now=work.now)
        audit.record(
            by_service, Action.INVITATION_ENDED, subject=user_id, before={"isActive": True}, after={"isActive": False}
        )
    return len(ended)
