"""A CSV reader by the grammar of RFC 4180, independent of the library that writes our files."""

from enum import Enum, auto


class _At(Enum):
    START = auto()  # of a field
    PLAIN = auto()
    QUOTED = auto()
    QUOTE = auto()  # inside a quoted field: its end, or the first of two


def read(text: str, *, separator: str = ",") -> list[list[str]]:
    """The records; `separator` takes the place of COMMA in the grammar.

    Raises:
        ValueError: a misplaced quote, or a line that does not end with CRLF.
    """
    records, record, field, at = [], [], [], _At.START
    rest = iter(text)
    for letter in rest:
        if at is _At.QUOTED:
            at = _At.QUOTE if letter == '"' else _At.QUOTED
            field += [letter] if letter != '"' else []
        elif letter == '"' and at is not _At.PLAIN:
            field += ['"'] if at is _At.QUOTE else []
            at = _At.QUOTED
        elif letter in (separator, "\r"):
            record.append("".join(field))
            field, at = [], _At.START
            if letter == "\r":
                if next(rest, "") != "\n":
                    raise ValueError("a carriage return without its line feed")
                records.append(record)
                record = []
        elif letter in '"\n' or at is _At.QUOTE:
            raise ValueError(f"{letter!r} may not stand here")
        else:
            field.append(letter)
            at = _At.PLAIN
    if record or field or at is not _At.START:
        raise ValueError("the last line has no end")
    return records
