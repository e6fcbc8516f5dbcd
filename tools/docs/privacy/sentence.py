"""What a row of the policy is: a sentence, what the product does about it, by which calls, held by which tests."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """`calls` are operation ids; `tests` are files under tests/ with the name of a test, `path.py::test_name`."""

    says: str
    does: str
    calls: tuple[str, ...]
    tests: tuple[str, ...]


def tests(*paths: str) -> tuple[str, ...]:
    return tuple(path.replace("::", ".py::test_") for path in paths)
