"""Rejects commands that act outside the database, or delete data, while it is held after a restore."""

from ops.database import Database
from ops.errors import CommandRejected
from ops.output import format_value
from shared.app import App
from shared.restore.store import read


def require_not_held(database: App | Database) -> None:
    """Raises CommandRejected while the database is held after a restore."""
    with database.transaction(reads_only=True) as tx:
        installation = read(tx)
    if installation.is_held:
        raise CommandRejected(
            f"the database is held since {format_value(installation.held_since)} UTC, after a restore; nothing was "
            "changed; see: ops restore status"
        )
