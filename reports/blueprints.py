"""The blueprints of reports, which `function_app` registers."""

from typing import Final

from reports.routes import blueprint as reports


BLUEPRINTS: Final = (reports,)
