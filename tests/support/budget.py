"""How much a test tries: a sample in the plain run, all of it or twenty times as much in `scripts/test --long`."""

import os
from typing import Final


LONG: Final = os.environ.get("TEST_LONG") == "1"
SECONDS: Final = 4 * 3600  # that a test may take in the long run
_TIMES: Final = 20


def tries(plain: int) -> int:
    """How many examples, cases or seeds, where so many are enough for the plain run."""
    return plain * _TIMES if LONG else plain
