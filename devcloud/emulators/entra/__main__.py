"""The emulator's own command line: `python -m devcloud.emulators.entra COMMAND`."""

from devcloud.missing import packages_told


if __name__ == "__main__":
    with packages_told():
        from devcloud.emulators.entra.cli import app

        app(prog_name="python -m devcloud.emulators.entra")
