"""How a call to the Marketplace can fail; no text of the answer, and nothing about a person, is part of it.

MarketplaceError
├── Refused          it said no (4xx): `status`, and Microsoft's `code`
│   ├── TokenRefused 400 of Resolve: the purchase token is garbage, or too old
│   ├── NotKnown     404: no such subscription or operation
│   ├── Conflicting  409: another change is under way, or a newer one is done
│   └── NotAuthorized 401, 403: our token, or the offer is published with another app id
├── Unreachable      no answer in time, or 429 or 5xx to the end: the outcome is unknown, ask again later
└── Unreadable       an answer that cannot be understood, or must not be followed
"""


class MarketplaceError(Exception):
    """The base: `reason` is a short stable code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(MarketplaceError):
    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(f"http_{status}")
        self.status, self.code = status, code


class TokenRefused(Refused):
    def __init__(self, code: str = "") -> None:
        super().__init__(400, code)


class NotKnown(Refused):
    def __init__(self, status: int = 404, code: str = "") -> None:
        super().__init__(status, code)


class Conflicting(Refused):
    pass


class NotAuthorized(Refused):
    pass


class Unreachable(MarketplaceError):
    pass


class Unreadable(MarketplaceError):
    pass
