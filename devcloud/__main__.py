"""The command line of the local cloud: `python -m devcloud COMMAND`."""

import sys
from pathlib import Path


def main() -> None:
    """Runs a command; a package missing from the virtual environment is told in one line."""
    try:
        from devcloud.commands import app  # noqa: PLC0415 - what it needs may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in {"devcloud", "shared"}:
            raise
        for stamp in Path(sys.prefix).glob(".installed-*"):
            stamp.unlink()  # so that it is installed again
        sys.exit(f"devcloud: the package {error.name} is missing here; run scripts/run again to install it")
    app()


if __name__ == "__main__":
    main()
