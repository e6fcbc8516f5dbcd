"""The action log: what people did in the product, kept in Table Storage where its endpoint is set, else in SQL."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from shared.app import App
from tenants.actions.log.model import ActionLog


def of(app: App) -> ActionLog:
    return app.once(_chosen)


def choose(endpoint: str, transaction: Callable[..., AbstractContextManager[sa.Connection]]) -> ActionLog:
    """The log that the settings ask for; nothing is connected, nor an Azure package imported, before it is used."""
    from tenants.actions.log.bounded import Bounded  # noqa: PLC0415 - an interface imports no client
    from tenants.actions.log.sql import SqlActionLog  # noqa: PLC0415 - likewise

    if not endpoint:
        return SqlActionLog(transaction)

    def tables() -> ActionLog:
        from tenants.actions.log.tables import TablesActionLog  # noqa: PLC0415 - a cold start does without it

        return TablesActionLog(endpoint, transaction)

    return Bounded(tables)


def _chosen(app: App) -> ActionLog:
    return choose(app.settings.action_log_table_endpoint, app.transaction)


__all__ = ["ActionLog", "choose", "of"]
