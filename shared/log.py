"""The log: JSON lines with constant event names and the fields listed here, so that it has no personal data.

No name, e-mail, token, address, user agent, statement parameter or exception text can be a field. Ids are random, and
mean nothing outside the database.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import structlog


FIELDS: Final = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "logger",
        "requestId",
        "correlationId",
        "marketplaceRequestId",
        "operation",
        "function",
        "status",
        "code",
        "reason",
        "durationMs",
        "subscription",
        "tenant",
        "user",
        "attempt",
        "count",
        "sent",  # users reported to the meter, and users of a bill
        "billed",
        "failed",
        "invariant",
        "ids",  # row ids, which mean nothing outside the database
        "errorType",
        "stack",
        "droppedFields",
    }
)
# Libraries that log each of their requests at INFO, with address and headers.
_VERBOSE_LIBRARIES: Final = ("azure.core", "azure.data", "azure.identity", "fontTools", "msal")
_ROOT: Final = Path(__file__).resolve().parent.parent


def _allow_listed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = sorted(event.keys() - FIELDS)
    kept = {name: value for name, value in event.items() if name in FIELDS}
    return {**kept, "droppedFields": dropped} if dropped else kept


@cache
def get_logger() -> structlog.stdlib.BoundLogger:
    """The product's logger; it writes through `logging`, for the platform."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allow_listed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("timetracker").setLevel(logging.INFO)
    for library in _VERBOSE_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger("timetracker")
    return logger


def exception_fields(error: BaseException) -> dict[str, Any]:
    """The loggable fields of an exception: its type and its stack, never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return {"errorType": type(error).__qualname__, "stack": places[-12:]}


def _short(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(_ROOT):
        return str(path.relative_to(_ROOT))
    return next((filename[len(entry) + 1 :] for entry in sys.path if entry and filename.startswith(entry)), path.name)
