"""Which URLs of PostgreSQL are safe to use: a line beyond this machine is encrypted, and its server is who it says."""

from typing import Final

from sqlalchemy.engine import URL


_SHAPE: Final = "expected postgresql+psycopg://<user>@<host>/<database>"
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Others could lead elsewhere than the host that was checked (hostaddr, service), or turn off what is asked for here
_OPTIONS: Final = frozenset(
    {
        *("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding"),
        *("application_name", "target_session_attrs"),
    }
)


def check(url: URL) -> None:
    """Holds a URL to what is safe: this machine or a socket, or TLS with the server's certificate and name checked.

    Raises:
        ValueError: says what was expected.
    """
    if url.get_driver_name() != "psycopg":
        raise ValueError(_SHAPE)
    if wrong := sorted(url.query.keys() - _OPTIONS):
        raise ValueError(f"{', '.join(wrong)} may not stand in the URL of the database")
    hosts = [url.host or "", *_values(url, "host")] if url.host else _values(url, "host")
    if not hosts:
        raise ValueError(f"{_SHAPE}, with a host; for a socket ?host=/var/run/postgresql")
    if all(_is_this_machine(host) for host in hosts):
        return
    if _values(url, "sslmode") != ["verify-full"]:
        raise ValueError(
            "sslmode must be verify-full, since no password or hour goes over an open line; add "
            "?sslmode=verify-full&sslrootcert=system, or the file of the server's certificate authority as sslrootcert"
        )


def _values(url: URL, name: str) -> list[str]:
    given = url.query.get(name, ())
    together = (given,) if isinstance(given, str) else given
    return [part for each in together for part in each.split(",")]


def _is_this_machine(host: str) -> bool:
    """Also with a port, as several hosts are written, and a socket's folder."""
    if host.startswith("/"):
        return True
    name, _, port = host.rpartition(":")
    return host in _THIS_MACHINE or (port.isdigit() and name.strip("[]") in _THIS_MACHINE)
