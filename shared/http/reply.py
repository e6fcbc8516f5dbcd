"""A response before it becomes the platform's type: status, body and headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import azure.functions as func

from shared.http.wire import WireModel


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, status: HTTPStatus, model: WireModel | None = None, headers: Mapping[str, str] | None = None
    ) -> "Reply":
        if model is None:
            return cls(status, b"", headers or {})
        return cls(status, model.to_json(), {"Content-Type": "application/json", **(headers or {})})

    def to_response(self, extra: Mapping[str, str]) -> func.HttpResponse:
        """Adds the headers of every response: no caching, no guessing of types."""
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **self.headers, **extra}
        if vary := [each["Vary"] for each in (self.headers, extra) if "Vary" in each]:
            headers["Vary"] = ", ".join(vary)
        media_type = headers.pop("Content-Type", None)
        return func.HttpResponse(self.body, status_code=int(self.status), headers=headers, mimetype=media_type)
