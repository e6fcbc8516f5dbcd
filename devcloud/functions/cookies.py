"""A cookie of a function's response written as the platform writes it: its own order, case and escapes."""

from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from devcloud.functions.messages import RpcHttpCookie


SAME_SITE = {
    RpcHttpCookie.SameSite.Lax: "lax",
    RpcHttpCookie.SameSite.Strict: "strict",
    RpcHttpCookie.SameSite.ExplicitNone: "none",
}


def set_cookie(cookie: Any) -> str:  # noqa: ANN401 - the worker library is untyped
    parts = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires:
        parts.append(f"expires={formatdate(cookie.expires.value.seconds, usegmt=True)}")
    if cookie.max_age:
        parts.append(f"max-age={cookie.max_age.value:.0f}")
    parts += [
        f"{name}={given.value}"
        for name, given in (("domain", cookie.domain), ("path", cookie.path))
        if given and given.value
    ]
    if cookie.secure and cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in SAME_SITE:
        parts.append(f"samesite={SAME_SITE[cookie.same_site]}")
    if cookie.http_only and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)
