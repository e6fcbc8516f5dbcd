import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.mutants.figures import Figures, figures_of, forget_survivors
from tools.mutants.parts import PROJECT, Part, parts


PARTS = parts()


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_a_part_names_code_and_tests_that_are_there(part):
    named = [*part.code, *part.tests, *part.without, *part.slow]

    assert part.code
    assert part.tests
    assert [pattern for pattern in named if not list(PROJECT.glob(pattern))] == []


def test_what_no_test_reaches_went_unnoticed_and_what_never_ends_did_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.mutants.parts.WORK", tmp_path)
    part = Part("some", ("billing/*.py",), ("tests/billing",))
    killed, survived, unreached, at_import, timed_out, not_yet = 1, 0, 33, 34, 36, None
    write(part.directory / "mutants" / "billing" / "a.py.meta", [killed] * 7 + [survived, unreached])
    write(part.directory / "mutants" / "billing" / "b.py.meta", [timed_out, at_import, at_import, not_yet])
    found = figures_of(part)

    assert found == Figures(mutants=13, at_import=2, tried=10, killed=7, timed_out=1, unreached=1)
    assert (found.survived, found.noticed) == (1, 80.0)


def test_what_went_unnoticed_is_tried_again_when_asked_for_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.mutants.parts.WORK", tmp_path)
    part = Part("some", ("billing/*.py",), ("tests/billing",))
    kept = part.directory / "mutants" / "billing" / "a.py.meta"
    write(kept, [1, 0, 33, 34, 36, None])

    forget_survivors(part)

    assert list(json.loads(kept.read_text())["exit_code_by_key"].values()) == [1, None, None, 34, 36, None]


def write(path: Path, codes: Sequence[int | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"exit_code_by_key": dict(enumerate(codes))}), encoding="utf-8")
