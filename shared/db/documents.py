"""JSON columns: an unreadable document becomes a marker, so that it does not fail the page that shows it."""

import json
from typing import Any, Final


UNREADABLE: Final = {"unreadable": True}


def parse(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """The document, or `UNREADABLE` if the text is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return dict(UNREADABLE)
