import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import mutants
from tools.mutants import PROJECT, Part, compute_noticed, load_parts, load_statuses


PARTS = load_parts()


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_a_part_names_existing_code_and_tests(part):
    patterns = [*part.code, *part.tests, *part.without, *part.slow]

    assert part.code
    assert part.tests
    assert [pattern for pattern in patterns if not list(PROJECT.glob(pattern))] == []


def test_unreached_mutants_count_as_unnoticed_and_timeouts_as_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    part = Part("some", ["billing/*.py"], ["tests/billing"], [], [])
    killed, survived, not_reached, timed_out, unchecked = 1, 0, 33, 36, None
    write_meta(part.directory / "mutants" / "billing" / "a.py.meta", [killed] * 7 + [survived, not_reached])
    write_meta(part.directory / "mutants" / "billing" / "b.py.meta", [timed_out, unchecked])
    counts = Counter(load_statuses(part).values())

    assert counts == {"killed": 7, "survived": 1, "no tests": 1, "timeout": 1, "not checked": 1}
    assert compute_noticed(counts) == 80.0


def write_meta(path: Path, codes: Sequence[int | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = (f"{path.name}:{number}" for number in range(len(codes)))
    path.write_text(json.dumps({"exit_code_by_key": dict(zip(names, codes, strict=True))}), encoding="utf-8")
