"""The commands `billing …`; each topic registers its own."""

import typer

from ops.billing import adopted as billing_adopted
from ops.billing import closing as billing_closing
from ops.billing import records as billing_records
from ops.billing import usage as billing_usage


app = typer.Typer(help="The bills, and what the Marketplace's meter is told.", no_args_is_help=True)
billing_closing.register(app)
billing_records.register(app)
billing_usage.register(app)
billing_adopted.register(app)
