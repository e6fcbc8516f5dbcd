"""The blueprints of tenants, which `function_app` registers."""

from typing import Final

from tenants.actions.routes import blueprint as actions
from tenants.invitations.jobs import blueprint as invitations
from tenants.notices.routes import blueprint as notices
from tenants.organizations.routes import blueprint as organizations
from tenants.people.routes import blueprint as people
from tenants.settings.routes import blueprint as settings
from tenants.sign_in.routes import blueprint as tenants


BLUEPRINTS: Final = (actions, invitations, notices, organizations, people, settings, tenants)
