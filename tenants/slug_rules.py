"""The slugs that no tenant may choose: names of ours and of Microsoft's, and what reads as something else."""

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
_ENCODED: Final = re.compile(r"\A..--")  # xn-- shows other letters than it has (RFC 5891, 4.2.3.1)


def is_reserved(slug: str) -> bool:
    """Also what reads as an id: whoever names a tenant by its id must not meet another one."""
    return slug in _WORDS or _ENCODED.match(slug) is not None or _is_guid(slug)


def _is_guid(slug: str) -> bool:
    try:
        uuid.UUID(slug)
    except ValueError:
        return False
    return True
