"""Fills the generated parts of docs/privacy.md: the policy's sentences, the catalogue, the table of retention.

A part stands between `<!-- made: name -->` and `<!-- end -->`; what is around them is written by hand.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from privacy.catalogue.columns import CATALOGUE
from privacy.catalogue.kinds import Facts, Kind, Rows
from privacy.retention.rules import RETENTION
from shared.http.operation import OPERATIONS
from tools.docs.privacy.policy import POLICY, Sentence


_PART: Final = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_GONE: Final = {Rows.STAY: "rows stay", Rows.GO: "rows go"}


def fill(page: str) -> str:
    """The page with its generated parts as the code has them now.

    Raises:
        KeyError: the page asks for a part that there is none of.
    """
    return _PART.sub(lambda found: f"{found[1]}\n{_text(PARTS[found[2]]())}\n{found[3]}", page)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _policy() -> Iterator[str]:
    for title, sentences in POLICY.items():
        yield f"### {title}"
        yield ""
        yield from _table(("the policy says", "what happens", "calls", "held by"), map(_sentence, sentences))
        yield ""


def _sentence(each: Sentence) -> tuple[str, ...]:
    calls = ", ".join(_call(name) for name in each.calls)
    return each.says, each.does, calls, "; ".join(map(_test, each.tests))


def _call(name: str) -> str:
    operation = OPERATIONS[name]
    return f"[`{operation.method} /api/{operation.path}`](api.md#{name})"


def _test(name: str) -> str:
    path, _, test = name.partition("::")
    return f"[{test.removeprefix('test_').replace('_', ' ')}](../tests/{path})"


def _catalogue() -> Iterator[str]:
    heads = (
        "table",
        "what",
        "names a person in",
        "text in which people may be named",
        "an erasure of the person",
        "of all",
    )
    rows = ((f"`{name}`", facts.about, *_personal(facts)) for name, facts in CATALOGUE.items())
    yield from _table(heads, rows)


def _personal(facts: Facts) -> tuple[str, str, str, str]:
    identity = [*_named(facts, Kind.IDENTITY), *(f"`{name}`" for name in (*facts.of, *facts.by) if name != "id")]
    words = [name for kind in (Kind.WORDS, Kind.VERSION, Kind.MENTIONS, Kind.COPY) for name in _named(facts, kind)]
    words += _named(facts, Kind.ANSWER)
    of_person = _of_person(facts, touched=bool(identity or words))
    return ", ".join(identity), ", ".join(words), of_person, _GONE[facts.tenant_erased]


def _of_person(facts: Facts, *, touched: bool) -> str:
    if facts.person_erased is Rows.GO:
        return "rows go; others' that show the person lose their body" if _named(facts, Kind.ANSWER) else "rows go"
    if _named(facts, Kind.COPY):
        return "blanked where it names the person"
    return "a pseudonym" if touched else ""


def _named(facts: Facts, kind: Kind) -> list[str]:
    return [f"`{name}`" for name, found in facts.columns.items() if found is kind]


def _retention() -> Iterator[str]:
    rows = (
        (each.what, ", ".join(f"`{name}`" for name in each.tables), each.period, each.basis, each.action)
        for each in RETENTION
    )
    yield from _table(("class", "tables", "period", "basis", "action"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "policy": _policy,
    "catalogue": _catalogue,
    "retention": _retention,
}
