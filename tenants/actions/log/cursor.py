"""The cursor of a page of the action log: a row key with the user's public id in place of the row id."""

import base64
import struct
import uuid
from dataclasses import dataclass
from typing import Final

from tenants.actions.log.model import LAST_TICK


_LAYOUT: Final = struct.Struct(">Q16s4s")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The parts of a row key."""

    inverted: int
    tag: str
    user: uuid.UUID

    def row_key(self, user_id: int) -> str:
        return f"{self.inverted:019d}_{user_id}_{self.tag}"


def encode(row_key: str, user: uuid.UUID) -> str:
    """Opaque text, without the row id, from which people could learn the number of users."""
    inverted, _, tag = row_key.split("_")
    return base64.urlsafe_b64encode(_LAYOUT.pack(int(inverted), user.bytes, bytes.fromhex(tag))).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises ValueError for text that is no cursor."""
    try:
        inverted, user, tag = _LAYOUT.unpack(base64.b64decode(text + "==", altchars=b"-_", validate=True))
    except (ValueError, struct.error) as error:
        raise ValueError("not a cursor") from error
    if inverted > LAST_TICK:
        raise ValueError("not a cursor: before the year 1")
    return Cursor(inverted, tag.hex(), uuid.UUID(bytes=user))
