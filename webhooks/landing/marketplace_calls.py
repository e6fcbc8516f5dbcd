"""Calls to the Marketplace within a deadline; their failures become errors for the visitor."""

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
    from billing.marketplace import MarketplaceClient


SECONDS: Final = 15.0


def require_client(app: App) -> "MarketplaceClient":
    """Raises NotFound where the settings turn the landing page off."""
    client = marketplace.of(app)
    if client is None or sign_in.of(app) is None:
        raise refusals.landing_page_off()
    return client


@contextmanager
def marketplace_call(seconds: float = SECONDS) -> Iterator[Deadline]:
    """Calls that share a deadline and a correlation id.

    Raises:
        InvalidRequest: the purchase token is malformed or too old.
        Inconclusive: the Marketplace does not answer, or its answer is unusable, such as 404 for a purchase it gave us.
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
        raise refusals.marketplace_unavailable(error.reason) from error
