"""The blueprints of webhooks, which `function_app` registers."""

from typing import Final

from webhooks.events.jobs import blueprint as reconcile
from webhooks.events.routes import blueprint as webhook
from webhooks.landing.routes import blueprint as landing
from webhooks.purchases.routes import blueprint as purchases


BLUEPRINTS: Final = (landing, purchases, reconcile, webhook)
