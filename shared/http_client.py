"""Sessions for calls of outside services."""

from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
from requests.adapters import HTTPAdapter


_POOL: Final = 16


def new_session() -> requests.Session:
    """Keeps connections and nothing else: no cookies, no credentials of the machine, no retries of its own."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=_POOL, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
