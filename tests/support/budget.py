"""The size of tests: a sample in a plain run, all cases or twenty times as many with `scripts/test --all`."""

import os
import random
from typing import Any, Final

import pytest


ALL: Final = os.environ.get("TEST_ALL") == "1"
SECONDS: Final = 4 * 3600  # limit of a test with --all
_TIMES: Final = 20


def tries(plain: int) -> int:
    """The number of examples, cases or seeds, given the number in a plain run."""
    return plain * _TIMES if ALL else plain


def seed(plain: int) -> int:
    """The random seed: fixed in a plain run, else random; TEST_SEED repeats the seed of an earlier run."""
    return int(os.environ.get("TEST_SEED") or (random.randrange(10**6) if ALL else plain))  # noqa: S311 - hides nothing


def slow(*values: object) -> Any:  # noqa: ANN401 - a set of parameters of pytest's
    """A case for `scripts/test --all` alone; another case of the test makes the same claim in the plain run."""
    return pytest.param(*values, marks=pytest.mark.slow)
