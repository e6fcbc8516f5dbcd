"""The emulator's own command line: `python -m devcloud.emulators.azure_devops COMMAND`."""

from devcloud.missing import packages_told


if __name__ == "__main__":
    with packages_told():
        from devcloud.emulators.azure_devops.cli import app

        app(prog_name="python -m devcloud.emulators.azure_devops")
