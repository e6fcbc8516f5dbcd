"""Azure SQL: its engine through Microsoft's ODBC driver, always encrypted, entered by Entra, and its error numbers."""

import re
import struct
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext

from shared.db import dialects, documents, records, row_level_security
from shared.errors import Unavailable


DRIVER: Final = "ODBC Driver 18 for SQL Server"
# Of Microsoft's from version 18 on; whether Encrypt is honored is the driver's choice, and others ignore it
_DRIVERS: Final = re.compile(r"odbc driver (?:1[89]|[2-9][0-9]) for sql server", re.ASCII)
ACCESS_TOKEN: Final = 1256  # the driver's connection attribute SQL_COPT_SS_ACCESS_TOKEN
SCOPE: Final = "https://database.windows.net/.default"
LOGIN_SECONDS: Final = 15
STATEMENT_SECONDS: Final = 30
LOCK_SECONDS: Final = 7  # deadlocks are looked for every 5 s: who waits in one is told so, and may begin again
_RECYCLE_SECONDS: Final = 1500  # Azure's gateway drops a connection that was idle for 30 minutes

DUPLICATE: Final = frozenset({2601, 2627})
# The whole transaction was undone in a race: a deadlock's victim, and a conflict of versions
LOST_RACE: Final = frozenset({1205, 3960, 3935, 41301, 41302, 41305, 41325, 41839})
# What passes by itself, and may outlast a request
TRANSIENT: Final = frozenset(
    {
        *(40613, 40197, 40143, 40540, 4221, 615, 926, 42108, 42109),  # moved, failed over, resumed from a pause, scaled
        *(40501, 49918, 49919, 49920, 10928, 10929, 10936, 40549, 40550, 8645, 8651),  # out of something governed
        *(4060, 18401, 233, 64, 20, 121),  # signed in before the database was there; also a wrong name, so bounded
        *(10053, 10054, 10060, 10065, 11001, 258, 997, 596),  # the line to it; 596: the session was ended
        *(1204, 1222),  # no lock to be had in time
    }
)
LINE_LOST: Final = frozenset({"08001", "08S01", "08007", "08S02", "HYT00", "HYT01"})
# pyodbc keeps a native number nowhere but in its text: '[42000] [Microsoft]… busy. (40501) (SQLExecDirectW)'
_NUMBER: Final = re.compile(r"\((-?\d+)\) \(SQL\w+\)")
_ENCRYPTED: Final = {"yes", "mandatory", "strict"}
_SHAPE: Final = "expected mssql+pyodbc://<server>.database.windows.net/<database>"
_OPTIONS: Final = {"driver", "encrypt", "trustservercertificate", "applicationintent", "multisubnetfailover"}


class Credential(Protocol):
    """What azure-identity's credentials have in common; the answer has the token as `token`."""

    def get_token(self, *scopes: str) -> Any: ...  # noqa: ANN401 - azure-core's named tuple


def check(url: URL) -> None:
    """Holds a URL to what is safe: every connection is encrypted, with the server's certificate checked.

    Raises:
        ValueError: says what was expected.
    """
    if url.get_driver_name() != "pyodbc":
        raise ValueError(_SHAPE)
    if not re.fullmatch(r"[A-Za-z0-9.-]+", url.host or "") or not re.fullmatch(r"[^;{}]+", url.database or ""):
        raise ValueError(
            "expected mssql+pyodbc://<server>.database.windows.net/<database>, with a server and a database"
        )
    given = {name.lower(): str(value).lower() for name, value in url.query.items()}
    if len(given) != len(url.query):
        raise ValueError("each option of the URL may stand in it once")
    if given.keys() - _OPTIONS:
        raise ValueError(f"{', '.join(sorted(given.keys() - _OPTIONS))} may not stand in the URL of the database")
    if not _DRIVERS.fullmatch(given.get("driver", DRIVER.lower())):
        raise ValueError(
            f"Driver must be {DRIVER}, or a newer one of Microsoft's: others may not encrypt; leave it out"
        )
    if given.get("encrypt", "yes") not in _ENCRYPTED:
        raise ValueError("Encrypt must be yes or strict: no password, token or hour goes over an open line")
    if given.get("trustservercertificate", "no") != "no":
        raise ValueError("TrustServerCertificate must be no: whoever is not the server must not pass for it")


def make(url: URL, *, pool_size: int, wait_seconds: int, credential: Credential | None = None) -> sa.Engine:
    """An engine for a URL that passes `check`; one without a user signs in by Entra, as the app's identity.

    pyodbc is imported here and nowhere else, so only where the database is Azure SQL.
    """
    check(url)
    import pyodbc  # noqa: PLC0415 - needs unixODBC, which only those with Azure SQL have

    pyodbc.pooling = False  # before the first connection: the pool is ours, and a pool of pools keeps dead lines
    engine = sa.create_engine(
        dialects.ours(_whole(url)),
        connect_args={"timeout": LOGIN_SECONDS, "autocommit": True},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        pool_use_lifo=True,  # what is surplus grows old and goes
        hide_parameters=True,
        json_deserializer=documents.read,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        # It belongs to the connection and to no transaction; `row_level_security.watch` lets the first one begin
        connection.execute(f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}").close()

    @event.listens_for(engine, "checkout")
    def _limit(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - as above
        connection.timeout = STATEMENT_SECONDS

    @event.listens_for(engine, "handle_error")
    def _keep_the_others(context: ExceptionContext) -> None:
        # SQLAlchemy takes the connection of a statement that took too long for lost, and the whole pool with it
        told = getattr(context.original_exception, "args", ())
        if context.is_disconnect and told[:1] == ("HYT00",):
            context.invalidate_pool_on_disconnect = False

    row_level_security.watch(engine)
    records.watch(engine)
    if url.username is None:
        _sign_in_by_entra(engine, credential or _identity())

    @event.listens_for(engine, "do_connect")  # the last, since it makes the connection
    def _limit_at_once(dialect: Any, _record: object, arguments: list[str], options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        connection = dialect.connect(*arguments, **options)
        connection.timeout = STATEMENT_SECONDS
        return connection

    return engine


def pack(token: str) -> bytes:
    """A token as the driver takes it: UTF-16LE after its length in bytes, in four."""
    raw = token.encode("utf-16-le")
    return struct.pack(f"<I{len(raw)}s", len(raw), raw)


def error_numbers(error: object) -> frozenset[int]:
    """The native numbers in an error of pyodbc's; its classes and states tell less, and sometimes nothing."""
    told: tuple[object, ...] = getattr(error, "args", ())
    return frozenset(int(number) for text in told[1:2] for number in _NUMBER.findall(str(text)))


def _whole(url: URL) -> URL:
    options = {"driver": DRIVER, "Encrypt": "yes", "TrustServerCertificate": "no", "APP": "timetracker"}
    given = {name.lower() for name in url.query}
    missing = {name: value for name, value in options.items() if name.lower() not in given}
    # The driver would mend a broken connection by itself, for up to 10 seconds, and nobody would know
    return url.update_query_dict({**missing, "ConnectRetryCount": "0"})


def _identity() -> Credential:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow to import

    credential: Credential = DefaultAzureCredential()  # the managed identity in Azure, the signed-in person elsewhere
    return credential


def _sign_in_by_entra(engine: sa.Engine, credential: Credential) -> None:
    @event.listens_for(engine, "do_connect")
    def _with_token(_dialect: object, _record: object, arguments: list[str], options: dict[str, Any]) -> None:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - as above

        arguments[0] = arguments[0].replace(";Trusted_Connection=Yes", "")
        try:
            token = credential.get_token(SCOPE).token  # kept and renewed by azure-identity
        except AzureError as error:
            raise Unavailable("The database cannot be signed in to right now. Try again in a moment.") from error
        options["attrs_before"] = {ACCESS_TOKEN: pack(token)}
