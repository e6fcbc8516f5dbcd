"""The emulator's own command line: `python -m devcloud.emulators.azure_devops COMMAND`."""

from devcloud.missing import report_missing_packages


if __name__ == "__main__":
    with report_missing_packages():
        from devcloud.emulators.azure_devops.cli import app

        app(prog_name="python -m devcloud.emulators.azure_devops")
