"""The commands `billing …`; each module registers its own."""

import typer

from ops.billing import adopted_usage as billing_adopted_usage
from ops.billing import closing as billing_closing
from ops.billing import records as billing_records
from ops.billing import usage as billing_usage


app = typer.Typer(help="Bills, and usage reported to the Marketplace.", no_args_is_help=True, rich_markup_mode=None)
billing_closing.register(app)
billing_records.register(app)
billing_usage.register(app)
billing_adopted_usage.register(app)
