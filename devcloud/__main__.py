"""The command line of the local cloud: `python -m devcloud COMMAND`."""

from devcloud.missing import report_missing_packages


def main() -> None:
    """Commands import packages when they run, so this guards all of it."""
    with report_missing_packages():
        from devcloud.commands import app  # noqa: PLC0415 - packages may be missing

        app()


if __name__ == "__main__":
    main()
