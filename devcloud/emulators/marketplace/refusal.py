"""How the Marketplace says no: a status, a code and a sentence."""


class Refused(Exception):
    """A call or an order that is not carried out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
