"""OAuth errors with AADSTS numbers, and JSON responses for browser apps."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response


class OAuthError(Exception):
    """An error with OAuth code, Entra's number and a sentence."""

    def __init__(self, error: str, number: int, description: str) -> None:
        super().__init__(description)
        self.error, self.number, self.description = error, number, f"AADSTS{number}: {description}"
        self.status = 401 if error == "invalid_client" else 400


def json_response(document: Mapping[str, Any], status: int = 200) -> Response:
    """JSON without caching; requests have no cookies, so any origin may read it."""
    response = Response(json.dumps(document), status, content_type="application/json; charset=utf-8")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = "no-store, no-cache"
    return response


def error_response(error: OAuthError, *, now: dt.datetime, trace: uuid.UUID) -> Response:
    """The error as Entra formats it, with ids and time in the text."""
    instant = now.strftime("%Y-%m-%d %H:%M:%SZ")
    description = f"{error.description} Trace ID: {trace} Correlation ID: {trace} Timestamp: {instant}"
    document = {
        "error": error.error,
        "error_description": description,
        "error_codes": [error.number],
        "timestamp": instant,
        "trace_id": str(trace),
        "correlation_id": str(trace),
    }
    return json_response(document, error.status)
