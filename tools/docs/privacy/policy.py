"""Reads the privacy policy from policy.toml: each sentence with its calls and tests."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Sentence:
    """`calls` are operation ids; `tests` are files under tests/ with the name of a test, `path.py::test_name`."""

    says: str
    does: str
    tests: tuple[str, ...]
    calls: tuple[str, ...] = ()


def _load_policy() -> dict[str, list[Sentence]]:
    parts = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: [_build_sentence(**each) for each in sentences] for name, sentences in parts.items()}


def _build_sentence(says: str, does: str, tests: list[str], calls: list[str] | None = None) -> Sentence:
    test_names = (each.replace("::", ".py::test_") for each in tests)
    return Sentence(says, does, tuple(test_names), tuple(calls or ()))


POLICY: Final = _load_policy()


def sentences() -> Iterator[Sentence]:
    for each in POLICY.values():
        yield from each
