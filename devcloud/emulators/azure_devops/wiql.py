"""The query language of work items, as far as TimeTracker uses it: words in titles. Errors are approximate."""

import re
from typing import Final

from devcloud.emulators.azure_devops.errors import AzureDevOpsError
from devcloud.emulators.azure_devops.fields import check_known


_QUERY: Final = re.compile(
    r"\s*SELECT\s+\[System\.Id\]\s+FROM\s+WorkItems\s+WHERE\s+(?P<where>.+?)"
    r"\s+ORDER\s+BY\s+\[System\.ChangedDate\]\s+DESC\s*",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION: Final = re.compile(r"\s*\[(?P<field>[\w.]+)\]\s+CONTAINS\s+'(?P<text>(?:[^']|'')*)'\s*", re.IGNORECASE)
_AND: Final = re.compile(r"AND\b", re.IGNORECASE)


def parse_words(query: object) -> list[str]:
    """The words that a title must contain, in lower case.

    Raises:
        AzureDevOpsError: another query, or a broken one.
    """
    parsed = _QUERY.fullmatch(query) if isinstance(query, str) else None
    if parsed is None:
        raise _syntax_error("TF51006: The query statement is missing a FROM clause.")
    where, words, start = parsed["where"], list[str](), 0
    while True:
        condition = _CONDITION.match(where, start)
        if condition is None:
            raise _syntax_error("TF51003: Expecting a condition.")
        check_known(condition["field"])
        if condition["field"].lower() != "system.title" or not condition["text"]:
            raise _syntax_error("TF51004: The emulator compares titles with text only.")
        words.append(condition["text"].replace("''", "'").lower())
        start = condition.end()
        if start == len(where):
            return words
        following = _AND.match(where, start)
        if following is None:
            raise _syntax_error("TF51003: Expecting AND or the end of the conditions.")
        start = following.end()


def _syntax_error(message: str) -> AzureDevOpsError:
    return AzureDevOpsError(400, message, "SyntaxException")
