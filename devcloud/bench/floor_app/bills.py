"""The bill of the floor: how many people have time or a sign-in in a month. One statement, no names and no money."""

import datetime as dt
import sqlite3
import threading

import psycopg


_PEOPLE = (
    "SELECT count(*) FROM (SELECT user_id FROM time_entry_days WHERE tenant_id = 1 AND month_key = ? "
    "UNION SELECT user_id FROM user_months WHERE tenant_id = 1 AND month_key = ?) AS people"
)
_own = threading.local()


def people(url: str, now: dt.datetime) -> int:
    """The count in the first tenant, on a connection that the thread keeps."""
    month = now.year * 100 + now.month
    if url.startswith("sqlite"):
        if not hasattr(_own, "connection"):
            _own.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        statement = _PEOPLE
    else:
        if not hasattr(_own, "connection"):
            _own.connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        statement = _PEOPLE.replace("?", "%s")
    [(found,)] = _own.connection.execute(statement, (month, month)).fetchall()
    return int(found)
