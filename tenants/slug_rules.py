"""Reserved slugs: names of ours and of Microsoft, encoded names and ids."""

import re
import uuid
from typing import Final


_WORDS: Final = frozenset(
    [
        *("abuse", "account", "accounts", "admin", "administrator", "api", "app", "assets", "auth", "billing", "cdn"),
        *("dashboard", "docs", "everyone", "health", "help", "home", "hostmaster", "info", "internal", "legal"),
        *("localhost", "login", "logout", "mail", "marketplace", "me", "nobody", "none", "null", "openapi", "operator"),
        *("ops", "postmaster", "privacy", "public", "root", "sales", "security", "service", "settings", "sign-in"),
        *("sign-out", "signin", "signout", "static", "status", "super-admin", "superadmin", "support", "system"),
        *("team", "tenant", "tenants", "terms", "test", "trial", "undefined", "user", "users", "vendor", "webhook"),
        *("webhooks", "webmaster", "www"),
        *("azure", "azure-devops", "azuredevops", "devops", "entra", "github", "microsoft", "microsoft365", "office"),
        *("office365", "visualstudio", "windows"),
        *("time-tracker", "timetracker", "timetracker-for-azure-devops"),
    ]
)
_ENCODED: Final = re.compile(r"\A..--")  # like xn--, which is shown as other letters (RFC 5891, 4.2.3.1)


def is_reserved(slug: str) -> bool:
    """Also true for ids, since a tenant can be looked up by its id."""
    return slug in _WORDS or _ENCODED.match(slug) is not None or _is_guid(slug)


def _is_guid(slug: str) -> bool:
    try:
        uuid.UUID(slug)
    except ValueError:
        return False
    return True
