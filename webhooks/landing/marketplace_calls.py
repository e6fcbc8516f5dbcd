"""How the landing page asks the Marketplace: within a time, and what goes wrong is told to the person who waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from billing import marketplace
from billing.marketplace import MarketplaceError, MarketplaceRefused, PurchaseTokenRefused
from shared.app import App
from shared.deadline import Deadline
from shared.log import get_logger
from webhooks.landing import refusals, sign_in


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


SECONDS: Final = 15.0


def client_of(app: App) -> "Marketplace":
    """Raises NotFound where the settings turn the landing page off."""
    client = marketplace.of(app)
    if client is None or sign_in.of(app) is None:
        raise refusals.off()
    return client


@contextmanager
def asking(seconds: float = SECONDS) -> Iterator[Deadline]:
    """One piece of business with the Marketplace.

    Raises:
        InvalidRequest: the purchase token is garbage, or too old.
        Inconclusive: it does not answer, or not as it should. That it does not know what we have just heard of it, too.
    """
    deadline = Deadline.after(seconds)
    try:
        yield deadline
    except PurchaseTokenRefused:
        raise refusals.unknown_purchase() from None
    except MarketplaceError as error:
        status = error.status if isinstance(error, MarketplaceRefused) else 0
        get_logger().error(
            "landing_page_failed", reason=error.reason, status=status, correlationId=str(deadline.correlation_id)
        )
        raise refusals.microsoft_is_away(error.reason) from error
