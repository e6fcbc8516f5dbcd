"""The errors of a call to the Marketplace. None contains text of a response, or anything about a person.

MarketplaceError
├── MarketplaceRefused          4xx: `status`, and Microsoft's `code`
│   ├── PurchaseTokenRefused    400 of Resolve: the purchase token is invalid, or expired
│   ├── MarketplaceNotFound     404: no such subscription or operation
│   ├── MarketplaceConflict     409: another change is in progress, or a newer one is done
│   └── MarketplaceUnauthorized 401, 403: our token is refused, or the offer names another app id
├── MarketplaceUnavailable      no response in time, 429 or 5xx: the outcome is unknown, try again later
└── UnreadableResponse          a response that cannot be parsed, or must not be followed
"""


class MarketplaceError(Exception):
    """The base class; `reason` is a short stable code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MarketplaceRefused(MarketplaceError):
    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(f"http_{status}")
        self.status, self.code = status, code


class PurchaseTokenRefused(MarketplaceRefused):
    def __init__(self, code: str = "") -> None:
        super().__init__(400, code)


class MarketplaceNotFound(MarketplaceRefused):
    def __init__(self, status: int = 404, code: str = "") -> None:
        super().__init__(status, code)


class MarketplaceConflict(MarketplaceRefused):
    pass


class MarketplaceUnauthorized(MarketplaceRefused):
    pass


class MarketplaceUnavailable(MarketplaceError):
    pass


class UnreadableResponse(MarketplaceError):
    pass
