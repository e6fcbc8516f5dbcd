"""The ports of the local cloud, on loopback only."""

import errno
import socket


LOOPBACK = "127.0.0.1"
BACKLOG = 128


class PortUnusable(Exception):
    """The port cannot be used; the message has the reason and the remedy."""


def listen(port: int) -> socket.socket:
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
            message = f"port {port} is taken: stop the program that uses it, or choose another port with --port"
        else:
            message = f"cannot listen on port {port} of {LOOPBACK}: {error.strerror or error}"
        raise PortUnusable(message) from error
    return listening
