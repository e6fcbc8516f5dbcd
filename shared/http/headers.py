"""Parses structured request headers with werkzeug."""

from collections.abc import Iterable, Sequence

import azure.functions as func
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie, parse_etags, parse_options_header


def media_type(request: func.HttpRequest) -> str:
    """The content type without parameters, in lower case; empty if there is none."""
    return parse_options_header(request.headers.get("content-type"))[0].lower()


def preferred(request: func.HttpRequest, offered: Sequence[str]) -> str:
    """The offered media type that the client prefers; the first one if it accepts none, or does not say.

    Parameters such as the charset are ignored: all our text is UTF-8.
    """
    accepted = parse_accept_header(request.headers.get("accept"), MIMEAccept)
    plain = MIMEAccept((media.partition(";")[0].strip(), quality) for media, quality in accepted)
    return plain.best_match(offered, default=offered[0]) or offered[0]


def takes_gzip(request: func.HttpRequest) -> bool:
    """Whether the response may be compressed; not if the client does not say."""
    return parse_accept_header(request.headers.get("accept-encoding"))["gzip"] > 0


def matches_etag(request: func.HttpRequest, tag: str) -> bool:
    """Whether If-None-Match has the tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = parse_etags(request.headers.get("if-none-match"))
    return bool(tags) and tags.contains_raw(tag)


def cookies(request: func.HttpRequest) -> Iterable[tuple[str, str]]:
    """Names and values of the cookies. The platform joins several Cookie headers with commas."""
    header = request.headers.get("cookie") or ""
    return parse_cookie(header.replace(",", ";")).items(multi=True)
