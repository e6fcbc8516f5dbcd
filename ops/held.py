"""Refuses commands that act outward or remove, while the database is held after a restore."""

from ops.database import Database
from ops.exits import Refused
from ops.output import shown
from shared.app import App
from shared.restore.store import read


def refuse_if_held(of: App | Database) -> None:
    """Stops a command that acts outward, or removes what is over.

    Raises:
        Refused: the database was restored, and nobody has accepted it yet.
    """
    with of.transaction(reads_only=True) as tx:
        found = read(tx)
    if found.is_held:
        raise Refused(
            f"the database is held since {shown(found.held_since)} UTC, after a restore; nothing was changed; "
            "see: python -m ops restore status"
        )
