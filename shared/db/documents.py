"""JSON as the database has it: what cannot be read is said to be so, and does not fail the page that it is on."""

import json
from typing import Any, Final


UNREADABLE: Final = {"unreadable": True}


def read(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """The document, or `UNREADABLE` in the place of what is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return dict(UNREADABLE)
