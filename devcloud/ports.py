"""The ports of the local cloud: loopback only, and one that cannot be used is told in one line."""

import errno
import socket


LOOPBACK = "127.0.0.1"
BACKLOG = 128


class PortUnusable(Exception):
    """The port cannot be listened on; one line says why, and what to do when it is taken."""


def bound(port: int) -> socket.socket:
    """A socket that listens on loopback only; port 0 takes a free one.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            told = f"port {port} is taken: stop what listens there, or choose another with --port"
        else:
            told = f"cannot listen on port {port} of {LOOPBACK}: {error.strerror or error}"
        raise PortUnusable(told) from error
    return listening
