import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import PROJECT, Part, noticed, parts, statuses


PARTS = parts()


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_a_part_names_code_and_tests_that_are_there(part):
    named = [*part.code, *part.tests, *part.without, *part.slow]

    assert part.code
    assert part.tests
    assert [pattern for pattern in named if not list(PROJECT.glob(pattern))] == []


def test_what_no_test_reaches_went_unnoticed_and_what_never_ends_did_not(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    part = Part("some", ["billing/*.py"], ["tests/billing"], [], [])
    killed, survived, unreached, timed_out, not_yet = 1, 0, 33, 36, None
    write(part.directory / "mutants" / "billing" / "a.py.meta", [killed] * 7 + [survived, unreached])
    write(part.directory / "mutants" / "billing" / "b.py.meta", [timed_out, not_yet])
    counts = Counter(statuses(part).values())

    assert counts == {"killed": 7, "survived": 1, "no tests": 1, "timeout": 1, "not checked": 1}
    assert noticed(counts) == 80.0


def write(path: Path, codes: Sequence[int | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = (f"{path.name}:{number}" for number in range(len(codes)))
    path.write_text(json.dumps({"exit_code_by_key": dict(zip(names, codes, strict=True))}), encoding="utf-8")
