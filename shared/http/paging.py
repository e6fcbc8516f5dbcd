"""Pages of lists: the two query parameters, the cursor, and the link to the next page."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Self, TypeVar
from urllib.parse import urlencode

from pydantic import Field

from shared.errors import FieldError, InvalidRequest
from shared.http.wire import WireModel
from shared.instants import parse_rfc3339, rfc3339


Cursor = TypeVar("Cursor")
Row = TypeVar("Row")
NEXT_LINK: Final = Field(None, description="link to the next page; absent on the last page")


class CursorQuery(WireModel, Generic[Cursor]):
    """The query of a list. A store reads `limit` rows, one more than a page has, so that a next page is noticed."""

    after: Cursor | None = Field(None, description="cursor of the previous page, from its nextLink")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def limit(self) -> int:
        return self.page_size + 1

    def next_link(self, address: str, rows: Sequence[Row], cursor: Callable[[Row], object]) -> str | None:
        """The list's address with the same query after the page's last row.

        None where `rows`, read up to `limit`, end with this page.
        """
        if len(rows) <= self.page_size:
            return None
        filters = self.model_dump(
            mode="json",
            by_alias=True,
            exclude_unset=True,
            exclude_none=True,
            warnings=False,  # pydantic warns of types with a PlainValidator, and serializes them rightly
        )
        parameters = {**filters, "pageSize": self.page_size, "after": cursor(rows[self.page_size - 1])}
        separator = "&" if "?" in address else "?"
        return f"{address}{separator}" + urlencode({name: _text(value) for name, value in parameters.items()})

    def require_rows(self, rows: Sequence[object]) -> None:
        """Refuses a cursor without rows after it. Only for lists from which no row is removed.

        Raises:
            InvalidRequest: there is nothing after the cursor.
        """
        if self.after is not None and not rows:
            raise invalid_cursor()


class PageQuery(CursorQuery[str]):
    """The query of a list with opaque cursors."""


@dataclass(frozen=True, slots=True)
class TimeCursor:
    """A position in a list by time: the row's id and its instant, so that a page follows a row that is gone."""

    id: uuid.UUID | str
    at: dt.datetime

    @classmethod
    def parse(cls, after: str | None) -> Self | None:
        """The position in a cursor; None without one.

        Raises:
            InvalidRequest: it was made up.
        """
        if after is None:
            return None
        last_id, _, at = after.partition(".")
        try:
            return cls(uuid.UUID(last_id), parse_rfc3339(at))
        except ValueError as error:
            raise invalid_cursor() from error

    def __str__(self) -> str:
        return f"{self.id}.{rfc3339(self.at)}"


def id_cursor(after: str | None) -> uuid.UUID | None:
    """The id of the last row in a cursor that is an id; None without one.

    Raises:
        InvalidRequest: it was made up.
    """
    if after is None:
        return None
    try:
        return uuid.UUID(after)
    except ValueError as error:
        raise invalid_cursor() from error


def invalid_cursor() -> InvalidRequest:
    wrong = FieldError("after", "is not a valid page cursor")
    return InvalidRequest(
        "Follow the link to the next page as it is, or start at the first page.", code="invalid_query", errors=[wrong]
    )


def _text(value: Any) -> str:  # noqa: ANN401 - of any field
    return str(value).lower() if isinstance(value, bool) else str(value)
