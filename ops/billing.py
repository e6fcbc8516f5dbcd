"""The commands `billing …`; each topic registers its own."""

import typer

from ops import billing_usage


app = typer.Typer(help="The bills, and what the Marketplace's meter is told.", no_args_is_help=True)
billing_usage.register(app)
