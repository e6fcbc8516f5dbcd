"""Errors of the Marketplace: status, code and sentence."""


class MarketplaceError(Exception):
    """A call or a command that failed."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
