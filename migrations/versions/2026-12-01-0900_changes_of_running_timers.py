"""Allows the event `changed` in the timer log."""

from alembic import op


revision = "7c1e5a90d3b4"
down_revision = "5d9a3e71c048"

_EVENTS = "event IN ('started', {changed}'stopped', 'discarded', 'entered', 'corrected', 'confirmed', 'deleted')"


def upgrade() -> None:
    _allow(_EVENTS.format(changed="'changed', "))


def downgrade() -> None:
    _allow(_EVENTS.format(changed=""))  # refused while changes are on record


def _allow(events: str) -> None:
    with op.batch_alter_table("timer_log", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_timer_log_event"), type_="check")
        batch_op.create_check_constraint(op.f("ck_timer_log_event"), events)
