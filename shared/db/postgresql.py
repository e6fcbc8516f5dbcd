"""The check of a PostgreSQL URL: remote connections are encrypted, and the server's certificate is verified."""

from typing import Final

from sqlalchemy.engine import URL


_SHAPE: Final = "expected postgresql+psycopg://<user>@<host>/<database>"
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Other options could change the checked host (hostaddr, service), or weaken the connection
_OPTIONS: Final = frozenset(
    {
        *("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding"),
        *("application_name", "target_session_attrs"),
    }
)


def check_url(url: URL) -> None:
    """Allows this machine, a socket, or TLS with verification of the server's certificate and name.

    Raises:
        ValueError: explains the expected URL.
    """
    if url.get_driver_name() != "psycopg":
        raise ValueError(_SHAPE)
    if wrong := sorted(url.query.keys() - _OPTIONS):
        raise ValueError(f"{', '.join(wrong)} may not be in the database URL")
    hosts = [url.host or "", *_values(url, "host")] if url.host else _values(url, "host")
    if not hosts:
        raise ValueError(f"{_SHAPE}, with a host; for a socket ?host=/var/run/postgresql")
    if all(_is_this_machine(host) for host in hosts):
        return
    if _values(url, "sslmode") != ["verify-full"]:
        raise ValueError(
            "sslmode must be verify-full, since passwords and data must be encrypted; add "
            "?sslmode=verify-full&sslrootcert=system, or the file of the server's certificate authority as sslrootcert"
        )


def _values(url: URL, name: str) -> list[str]:
    given = url.query.get(name, ())
    values = (given,) if isinstance(given, str) else given
    return [part for each in values for part in each.split(",")]


def _is_this_machine(host: str) -> bool:
    """Whether a host, with or without a port, or a socket's directory is on this machine."""
    if host.startswith("/"):
        return True
    name, _, port = host.rpartition(":")
    return host in _THIS_MACHINE or (port.isdigit() and name.strip("[]") in _THIS_MACHINE)
