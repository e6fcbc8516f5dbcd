"""The blueprints of privacy, which `function_app` registers."""

from typing import Final

from privacy.erasure.routes import blueprint as erasure
from privacy.export.routes import blueprint as export
from privacy.jobs import blueprint as retention
from privacy.rights.routes import blueprint as rights


BLUEPRINTS: Final = (erasure, export, retention, rights)
