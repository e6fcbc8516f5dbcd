"""The blueprints of billing, which `function_app` registers."""

from typing import Final

from billing.closing.jobs import blueprint as closing
from billing.metering.jobs import blueprint as usage
from billing.records.routes import blueprint as bills
from billing.subscriptions.routes import blueprint as subscription
from billing.trials.jobs import blueprint as trials


BLUEPRINTS: Final = (closing, bills, subscription, trials, usage)
