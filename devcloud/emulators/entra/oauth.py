"""How Entra says no: the OAuth error with its AADSTS number, and JSON answers a browser app may read."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response


class OAuthError(Exception):
    """A refusal: the OAuth code, Entra's number for it, and a sentence."""

    def __init__(self, error: str, number: int, description: str) -> None:
        super().__init__(description)
        self.error, self.number, self.description = error, number, f"AADSTS{number}: {description}"
        self.status = 401 if error == "invalid_client" else 400


def answer(document: Mapping[str, Any], status: int = 200) -> Response:
    """JSON that is not kept; tokens are asked for without cookies, so any origin may read it."""
    response = Response(json.dumps(document), status, content_type="application/json; charset=utf-8")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = "no-store, no-cache"
    return response


def refusal(error: OAuthError, *, now: dt.datetime, trace: uuid.UUID) -> Response:
    """The error in Entra's shape: the ids and the time stand in the text as well."""
    instant = now.strftime("%Y-%m-%d %H:%M:%SZ")
    told = f"{error.description} Trace ID: {trace} Correlation ID: {trace} Timestamp: {instant}"
    document = {
        "error": error.error,
        "error_description": told,
        "error_codes": [error.number],
        "timestamp": instant,
        "trace_id": str(trace),
        "correlation_id": str(trace),
    }
    return answer(document, error.status)
