"""Azure SQL: the engine with Microsoft's ODBC driver, encryption and Entra sign-in, and the error numbers."""

import re
import struct
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext

from shared.db import dialects, documents, records, row_level_security
from shared.errors import Unavailable


DRIVER: Final = "ODBC Driver 18 for SQL Server"
# Microsoft's from version 18 on; other drivers may ignore Encrypt
_DRIVERS: Final = re.compile(r"odbc driver (?:1[89]|[2-9][0-9]) for sql server", re.ASCII)
ACCESS_TOKEN: Final = 1256  # the driver's connection attribute SQL_COPT_SS_ACCESS_TOKEN
SCOPE: Final = "https://database.windows.net/.default"
LOGIN_SECONDS: Final = 15
STATEMENT_SECONDS: Final = 30
LOCK_SECONDS: Final = 7  # longer than the 5 s between searches for deadlocks, so that their victims get that error
_RECYCLE_SECONDS: Final = 1500  # Azure's gateway drops connections that are idle for 30 minutes

DUPLICATE: Final = frozenset({2601, 2627})
# The transaction was rolled back after a race: a deadlock, or a conflict of versions
LOST_RACE: Final = frozenset({1205, 3960, 3935, 41301, 41302, 41305, 41325, 41839})
# Transient errors, which may outlast a request
TRANSIENT: Final = frozenset(
    {
        *(40613, 40197, 40143, 40540, 4221, 615, 926, 42108, 42109),  # moved, failed over, resumed, scaled
        *(40501, 49918, 49919, 49920, 10928, 10929, 10936, 40549, 40550, 8645, 8651),  # out of a governed resource
        *(
            4060,
            18401,
            233,
            64,
            20,
            121,
        ),  # sign-in before the database is ready; also a wrong name, so with a limit
        *(10053, 10054, 10060, 10065, 11001, 258, 997, 596),  # network; 596: the session was ended
        *(1204, 1222),  # lock timeout
    }
)
CONNECTION_LOST: Final = frozenset({"08001", "08S01", "08007", "08S02", "HYT00", "HYT01"})
# pyodbc has the native number only in its text: '[42000] [Microsoft]… busy. (40501) (SQLExecDirectW)'
_NUMBER: Final = re.compile(r"\((-?\d+)\) \(SQL\w+\)")
_ENCRYPTED: Final = {"yes", "mandatory", "strict"}
_SHAPE: Final = "expected mssql+pyodbc://<server>.database.windows.net/<database>"
_OPTIONS: Final = {"driver", "encrypt", "trustservercertificate", "applicationintent", "multisubnetfailover"}


class Credential(Protocol):
    """The interface of azure-identity's credentials; the result has the token as `token`."""

    def get_token(self, *scopes: str) -> Any: ...  # noqa: ANN401 - azure-core's named tuple


def check_url(url: URL) -> None:
    """Checks that connections are encrypted, and the server's certificate verified.

    Raises:
        ValueError: explains the expected URL.
    """
    if url.get_driver_name() != "pyodbc":
        raise ValueError(_SHAPE)
    if not re.fullmatch(r"[A-Za-z0-9.-]+", url.host or "") or not re.fullmatch(r"[^;{}]+", url.database or ""):
        raise ValueError(
            "expected mssql+pyodbc://<server>.database.windows.net/<database>, with a server and a database"
        )
    given = {name.lower(): str(value).lower() for name, value in url.query.items()}
    if len(given) != len(url.query):
        raise ValueError("each option of the database URL may be given once")
    if given.keys() - _OPTIONS:
        raise ValueError(f"{', '.join(sorted(given.keys() - _OPTIONS))} may not be in the database URL")
    if not _DRIVERS.fullmatch(given.get("driver", DRIVER.lower())):
        raise ValueError(
            f"Driver must be {DRIVER}, or a newer one from Microsoft, since others may not encrypt; leave it out"
        )
    if given.get("encrypt", "yes") not in _ENCRYPTED:
        raise ValueError("Encrypt must be yes or strict, since passwords and tokens must be encrypted")
    if given.get("trustservercertificate", "no") != "no":
        raise ValueError("TrustServerCertificate must be no, so that the server's certificate is verified")


def build_engine(url: URL, *, pool_size: int, wait_seconds: int, credential: Credential | None = None) -> sa.Engine:
    """An engine for a URL that passes `check_url`; without a user it signs in by Entra, as the app's identity.

    Imports pyodbc, which other databases do not need.
    """
    check_url(url)
    import pyodbc  # noqa: PLC0415 - needs unixODBC, which only Azure SQL requires

    pyodbc.pooling = False  # before the first connection: a second pool would keep dead connections
    engine = sa.create_engine(
        dialects.use_own_dialect(_with_defaults(url)),
        connect_args={"timeout": LOGIN_SECONDS, "autocommit": True},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        pool_use_lifo=True,  # surplus connections age and are closed
        hide_parameters=True,
        json_deserializer=documents.parse,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        # Outside a transaction; `row_level_security.track_tenant` lets the first one begin
        connection.execute(f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}").close()

    @event.listens_for(engine, "checkout")
    def _limit(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - as above
        connection.timeout = STATEMENT_SECONDS

    @event.listens_for(engine, "handle_error")
    def _keep_the_pool(context: ExceptionContext) -> None:
        # After a statement timeout SQLAlchemy would discard the whole pool
        arguments = getattr(context.original_exception, "args", ())
        if context.is_disconnect and arguments[:1] == ("HYT00",):
            context.invalidate_pool_on_disconnect = False

    row_level_security.track_tenant(engine)
    records.close_guard_on_reset(engine)
    if url.username is None:
        _sign_in_by_entra(engine, credential or _identity())

    @event.listens_for(engine, "do_connect")  # the last listener, since it connects
    def _limit_at_once(dialect: Any, _record: object, arguments: list[str], options: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        connection = dialect.connect(*arguments, **options)
        connection.timeout = STATEMENT_SECONDS
        return connection

    return engine


def pack(token: str) -> bytes:
    """A token in the driver's format: UTF-16LE after its length in four bytes."""
    raw = token.encode("utf-16-le")
    return struct.pack(f"<I{len(raw)}s", len(raw), raw)


def error_numbers(error: object) -> frozenset[int]:
    """The native numbers in an error of pyodbc, whose classes and states are less exact."""
    arguments: tuple[object, ...] = getattr(error, "args", ())
    return frozenset(int(number) for text in arguments[1:2] for number in _NUMBER.findall(str(text)))


def _with_defaults(url: URL) -> URL:
    options = {"driver": DRIVER, "Encrypt": "yes", "TrustServerCertificate": "no", "APP": "timetracker"}
    given = {name.lower() for name in url.query}
    missing = {name: value for name, value in options.items() if name.lower() not in given}
    # Otherwise the driver would reconnect by itself, for up to 10 seconds, unnoticed
    return url.update_query_dict({**missing, "ConnectRetryCount": "0"})


def _identity() -> Credential:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow to import

    credential: Credential = DefaultAzureCredential()  # in Azure the managed identity, elsewhere the signed-in person
    return credential


def _sign_in_by_entra(engine: sa.Engine, credential: Credential) -> None:
    @event.listens_for(engine, "do_connect")
    def _with_token(_dialect: object, _record: object, arguments: list[str], options: dict[str, Any]) -> None:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - as above

        arguments[0] = arguments[0].replace(";Trusted_Connection=Yes", "")
        try:
            token = credential.get_token(SCOPE).token  # cached and renewed by azure-identity
        except AzureError as error:
            raise Unavailable("The database is unavailable right now. Try again in a moment.") from error
        options["attrs_before"] = {ACCESS_TOKEN: pack(token)}
