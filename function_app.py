"""The FunctionApp: registers each blueprint, and puts together the invariants of all slices."""

from typing import Final

import azure.functions as func

from billing.closing.jobs import blueprint as closing
from billing.invariants import BILLING
from billing.metering.jobs import blueprint as usage
from billing.records.routes import blueprint as bills
from billing.subscriptions.routes import blueprint as subscription
from billing.trials.jobs import blueprint as trials
from privacy.erasure.routes import blueprint as erasure
from privacy.export.routes import blueprint as export
from privacy.jobs import blueprint as retention
from privacy.rights.routes import blueprint as rights
from reports.routes import blueprint as reports
from shared.health.invariants import INVARIANTS as OF_ALL_SLICES
from shared.health.jobs import blueprint_of as sweep_of
from shared.health.routes import blueprint as service
from tenants.actions.routes import blueprint as actions
from tenants.invitations.jobs import blueprint as invitations
from tenants.notices.routes import blueprint as notices
from tenants.organizations.routes import blueprint as organizations
from tenants.people.routes import blueprint as people
from tenants.settings.routes import blueprint as settings
from tenants.sign_in.routes import blueprint as tenants
from timers.entries.routes import blueprint as entries
from timers.entries.write_back_routes import blueprint as write_back
from timers.forgotten.jobs import blueprint as forgotten_timers
from timers.log.routes import blueprint as timer_log
from timers.projects.routes import blueprint as projects
from timers.running.routes import blueprint as timers
from timers.team.routes import blueprint as team
from timers.work_items.routes import blueprint as work_items
from timers.write_back.invariants import WRITE_BACK
from webhooks.events.jobs import blueprint as reconcile
from webhooks.events.routes import blueprint as webhook
from webhooks.landing.routes import blueprint as landing
from webhooks.purchases.routes import blueprint as purchases


INVARIANTS: Final = {**OF_ALL_SLICES, **BILLING, **WRITE_BACK}
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in (
    actions,
    closing,
    bills,
    entries,
    erasure,
    export,
    forgotten_timers,
    invitations,
    landing,
    notices,
    organizations,
    people,
    projects,
    purchases,
    reconcile,
    reports,
    retention,
    rights,
    service,
    settings,
    subscription,
    sweep_of(INVARIANTS),
    team,
    tenants,
    timer_log,
    timers,
    trials,
    usage,
    webhook,
    work_items,
    write_back,
):
    app.register_functions(blueprint)
