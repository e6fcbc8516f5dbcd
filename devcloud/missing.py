"""Reports a missing package in one line, and makes the next `scripts/run` install again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


EXIT_CODE = 3
OURS = frozenset(
    "billing devcloud function_app migrations ops privacy reports shared tenants tests timers tools webhooks".split()  # noqa: SIM905
)


@contextmanager
def report_missing_packages() -> Iterator[None]:
    """Ends the process if a package is missing; a missing module of the project is still an error."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in OURS:
            raise
        for stamp in Path(sys.prefix).glob(".installed-*"):
            stamp.unlink(missing_ok=True)  # other processes may do the same
        sys.stderr.write(f"devcloud: {error.name} is missing from the virtual environment; run scripts/run again\n")
        sys.exit(EXIT_CODE)
