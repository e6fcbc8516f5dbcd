"""The FunctionApp: registers each blueprint, and puts together the invariants of all slices."""

from typing import Final

import azure.functions as func

from billing.blueprints import BLUEPRINTS as OF_BILLING
from billing.invariants import BILLING
from privacy.blueprints import BLUEPRINTS as OF_PRIVACY
from reports.blueprints import BLUEPRINTS as OF_REPORTS
from shared.health.invariants import INVARIANTS as OF_ALL_SLICES
from shared.health.jobs import build_blueprint as build_invariants_blueprint
from shared.health.routes import blueprint as service
from tenants.blueprints import BLUEPRINTS as OF_TENANTS
from timers.blueprints import BLUEPRINTS as OF_TIMERS
from timers.write_back.invariants import WRITE_BACK
from webhooks.blueprints import BLUEPRINTS as OF_WEBHOOKS


INVARIANTS: Final = {**OF_ALL_SLICES, **BILLING, **WRITE_BACK}
BLUEPRINTS: Final = (
    *OF_TIMERS,
    *OF_TENANTS,
    *OF_REPORTS,
    *OF_BILLING,
    *OF_WEBHOOKS,
    *OF_PRIVACY,
    service,
    build_invariants_blueprint(INVARIANTS),
)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in BLUEPRINTS:
    app.register_functions(blueprint)
