"""Reads the headers of a request that have a grammar of their own, by werkzeug's parsers."""

from collections.abc import Iterable, Sequence

import azure.functions as func
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie, parse_etags, parse_options_header


def media_type(request: func.HttpRequest) -> str:
    """The type of the body without its parameters, in lower case; empty where none is named."""
    return parse_options_header(request.headers.get("content-type"))[0].lower()


def preferred(request: func.HttpRequest, offered: Sequence[str]) -> str:
    """Which of the media types offered the caller likes best; the first where it names none of them, or does not say.

    A parameter such as the charset does not matter: every text of ours is UTF-8.
    """
    accepted = parse_accept_header(request.headers.get("accept"), MIMEAccept)
    plain = MIMEAccept((media.partition(";")[0].strip(), quality) for media, quality in accepted)
    return plain.best_match(offered, default=offered[0]) or offered[0]


def takes_gzip(request: func.HttpRequest) -> bool:
    """Whether the body of the answer may be compressed; not where the caller does not say."""
    return parse_accept_header(request.headers.get("accept-encoding"))["gzip"] > 0


def has_it(request: func.HttpRequest, tag: str) -> bool:
    """Whether If-None-Match names the tag, by the weak comparison (RFC 9110, 13.1.2)."""
    given = parse_etags(request.headers.get("if-none-match"))
    return bool(given) and given.contains_raw(tag)


def cookies(request: func.HttpRequest) -> Iterable[tuple[str, str]]:
    """Names and values of the cookies as they come. The platform joins several Cookie headers by commas."""
    given = request.headers.get("cookie") or ""
    return parse_cookie(given.replace(",", ";")).items(multi=True)
