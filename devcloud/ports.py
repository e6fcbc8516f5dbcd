"""The ports of the local cloud: loopback only, and a taken one is told in one line."""

import socket


LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """Something else listens on the port; one line says what to do."""


def bound(port: int) -> socket.socket:
    """A socket that listens on loopback only.

    Raises:
        PortTaken: the port is in use.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise PortTaken(f"port {port} is taken: stop what listens there, or choose another with --port") from error
    return listening
