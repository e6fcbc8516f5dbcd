"""Text that must fit a column, and text by which things are told apart."""


def shortened(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, which is how Azure SQL measures a column, without half a character at the end."""
    return text.encode("utf-16-le")[: limit * 2].decode("utf-16-le", errors="ignore")


def key_of(text: str, limit: int) -> str:
    """The text for comparing: without blanks around it, in one case, and cut, since folding a letter can triple it."""
    return shortened(text.strip().casefold(), limit)
