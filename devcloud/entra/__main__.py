"""The stand-in's own command line: `python -m devcloud.entra COMMAND`."""

from devcloud.entra.cli import app


if __name__ == "__main__":
    app(prog_name="python -m devcloud.entra")
