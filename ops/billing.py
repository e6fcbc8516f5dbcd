"""The commands `billing …`; each topic registers its own."""

import typer

from ops import billing_adopted, billing_closing, billing_records, billing_usage


app = typer.Typer(help="The bills, and what the Marketplace's meter is told.", no_args_is_help=True)
billing_closing.register(app)
billing_records.register(app)
billing_usage.register(app)
billing_adopted.register(app)
