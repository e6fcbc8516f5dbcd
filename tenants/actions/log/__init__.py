"""The action log: actions of people in the product, stored in Table Storage if its endpoint is set, else in SQL."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from shared.app import App
from tenants.actions.log.model import Action, ActionLog, LogQuery


def of(app: App) -> ActionLog:
    return app.once(_from_settings)


def choose(endpoint: str, transaction: Callable[..., AbstractContextManager[sa.Connection]]) -> ActionLog:
    """The log for an endpoint; it connects, and imports Azure packages, only when it is used."""
    from tenants.actions.log.bounded import BoundedActionLog  # noqa: PLC0415 - an interface imports no client
    from tenants.actions.log.sql import SqlActionLog  # noqa: PLC0415 - likewise

    if not endpoint:
        return SqlActionLog(transaction)

    def tables() -> ActionLog:
        from tenants.actions.log.tables import TablesActionLog  # noqa: PLC0415 - not needed for a cold start

        return TablesActionLog(endpoint, transaction)

    return BoundedActionLog(tables)


def _from_settings(app: App) -> ActionLog:
    return choose(app.settings.action_log_table_endpoint, app.transaction)


__all__ = ["Action", "ActionLog", "LogQuery", "choose", "of"]
