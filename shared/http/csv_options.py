"""How a caller wants a CSV: the parameters that every operation with CSV files takes."""

from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.errors import FieldError, InvalidRequest
from shared.http.wire import WireModel
from shared.spreadsheet import EXCEL_EN, EXCEL_EU, Dialect


_PROFILES: Final = {"excel-en": EXCEL_EN, "excel-eu": EXCEL_EU}
_SEPARATORS: Final = {"tab": "\t"}


class CsvOptions(WireModel):
    """Separator and decimal mark, or a profile that has both; a comma and a point unless something else is said."""

    separator: Literal[",", ";", "|", "tab"] | None = Field(
        None, description="of CSV: what separates the cells, a comma unless something else is said"
    )
    decimal: Literal[".", ","] | None = Field(
        None,
        description="of CSV: the decimal mark of numbers, a point unless something else is said; never the separator",
        validate_default=True,
    )
    profile: Literal["excel-en", "excel-eu"] | None = Field(
        None,
        description="of CSV, instead of the two: excel-en (comma and point) or excel-eu (semicolon and decimal comma); "
        "which of them Excel opens without being asked depends on the region of the computer. A workbook opens alike "
        "everywhere",
    )

    @field_validator("decimal")
    @classmethod
    def _is_not_the_separator(cls, decimal: str | None, info: ValidationInfo) -> str | None:
        if "separator" in info.data and (info.data["separator"] or ",") == (decimal or "."):
            raise ValueError("must not be the separator as well")
        return decimal

    @field_validator("profile")
    @classmethod
    def _is_alone(cls, profile: str | None, info: ValidationInfo) -> str | None:
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
        """The parameters are given for CSV files only.

        Raises:
            InvalidRequest: the answer is in another form.
        """
        given = {"separator": self.separator, "decimal": self.decimal, "profile": self.profile}
        require_form({name for name, value in given.items() if value is not None}, "CSV", is_it=is_csv)


def require_form(given: set[str], form: str, *, is_it: bool) -> None:
    """Parameters that are about one form of an answer are given with it only.

    Raises:
        InvalidRequest: names each of them.
    """
    if given and not is_it:
        raise InvalidRequest(
            "Some query parameters are wrong; each is listed under errors.",
            code="invalid_query",
            errors=[FieldError(name, f"must be given for {form} only") for name in sorted(given)],
        )
