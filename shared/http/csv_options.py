"""The query parameters of every operation that returns CSV."""

from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.errors import FieldError, InvalidRequest
from shared.http.parsing import QUERY_ERROR
from shared.http.wire import WireModel
from shared.spreadsheet import EXCEL_EN, EXCEL_EU, Dialect


_PROFILES: Final = {"excel-en": EXCEL_EN, "excel-eu": EXCEL_EU}
_SEPARATORS: Final = {"tab": "\t"}


class CsvOptions(WireModel):
    """Separator and decimal mark, or a profile with both. The default is comma and point."""

    separator: Literal[",", ";", "|", "tab"] | None = Field(
        None, description="CSV only: separator of the cells; default comma"
    )
    decimal: Literal[".", ","] | None = Field(
        None,
        description="CSV only: decimal mark of numbers; default point; never the same as the separator",
        validate_default=True,
    )
    profile: Literal["excel-en", "excel-eu"] | None = Field(
        None,
        description="CSV only, in place of separator and decimal: excel-en (comma and point) or excel-eu (semicolon "
        "and decimal comma). Excel opens the one of the computer's region directly; a workbook opens everywhere",
    )

    @field_validator("decimal")
    @classmethod
    def _differs_from_separator(cls, decimal: str | None, info: ValidationInfo) -> str | None:
        if "separator" in info.data and (info.data["separator"] or ",") == (decimal or "."):
            raise ValueError("must not be the separator as well")
        return decimal

    @field_validator("profile")
    @classmethod
    def _excludes_separator_and_decimal(cls, profile: str | None, info: ValidationInfo) -> str | None:
        if profile is not None and (info.data.get("separator") or info.data.get("decimal")):
            raise ValueError("must be given without separator and decimal")
        return profile

    @property
    def dialect(self) -> Dialect:
        if self.profile is not None:
            return _PROFILES[self.profile]
        separator = self.separator or EXCEL_EN.separator
        return Dialect(_SEPARATORS.get(separator, separator), self.decimal or EXCEL_EN.decimal)

    def require_csv(self, *, is_csv: bool) -> None:
        """Refuses the options when the response is not CSV.

        Raises:
            InvalidRequest: with each of them.
        """
        options = {"separator": self.separator, "decimal": self.decimal, "profile": self.profile}
        require_format({name for name, value in options.items() if value is not None}, "CSV", is_it=is_csv)


def require_format(options: set[str], name: str, *, is_it: bool) -> None:
    """Refuses options of one format when the response has another.

    Raises:
        InvalidRequest: with each of them.
    """
    if options and not is_it:
        wrong = [FieldError(option, f"must be given for {name} only") for option in sorted(options)]
        raise InvalidRequest(QUERY_ERROR, code="invalid_query", errors=wrong)
