"""A scripted SQL Server on loopback for Microsoft's ODBC driver: TLS, sign-in, statements, errors, lost connections."""

import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.support import tds
from tests.support.tds import Login, Statement


BEGIN, COMMIT, ROLLBACK = "<begin>", "<commit>", "<rollback>"
_REQUESTS: Final = {5: BEGIN, 7: COMMIT, 8: ROLLBACK, 9: "<savepoint>"}


@dataclass(frozen=True)
class Error:
    """An error response with a number of SQL Server."""

    number: int


@dataclass(frozen=True)
class Rows:
    names: tuple[str, ...]
    values: list[tuple[Any, ...]]


# Responses to SQLAlchemy's queries on an engine's first connection, and on taking one from the pool.
_SERVER_FACTS: Final = {
    "SUSER_SID": "01",  # the server's own administrator
    "ProductVersion": "16.0.1000.5",
    "schema_name()": "dbo",
    "test max support": "test max support",
    "fn_listextendedproperty": "x",
    "SELECT 1": "1",
    "SET LOCK_TIMEOUT": None,
    "inside_tenant_wall": "0",
}


class ConnectionLost(Exception):
    """The connection is closed: by a script within a statement, or by the client."""


Answer = Error | Rows | int | None  # a number is the count of changed rows
Script = Callable[[Statement], Answer]


def default_script(statement: Statement) -> Answer:
    """Responses to the queries of the driver and SQLAlchemy; none for the app's statements."""
    for part, answer in _SERVER_FACTS.items():
        if part in statement.sql:
            return Rows(("",), [(answer,)]) if answer is not None else None
    return None


@dataclass
class SqlServer:
    """`script` responds to statements, `sign_in` returns the error of a sign-in; both may raise ConnectionLost."""

    port: int
    script: Script = default_script
    sign_in: Callable[[Login], int | None] = lambda _: None
    logins: list[Login] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mssql+pyodbc://127.0.0.1:{self.port}/timetracker"

    @property
    def texts(self) -> list[str]:
        return [each.sql for each in self.statements]

    def reset(self) -> None:
        self.script, self.sign_in = default_script, lambda _: None
        self.logins.clear()
        self.statements.clear()

    def close_connections(self) -> None:
        """Closes every connection, as a failover does with those in a pool."""
        for line in self.connections:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self.connections.clear()


@contextmanager
def running(folder: Path) -> Iterator[SqlServer]:
    """A server whose certificate, `folder/server.pem`, a client must trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = SqlServer(listening.getsockname()[1])
        threading.Thread(target=_accept, args=(listening, context, server), daemon=True).start()
        yield server
        server.close_connections()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, context: ssl.SSLContext, server: SqlServer) -> None:
    while True:
        try:
            line, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(line, context, server), daemon=True).start()


def _serve(line: socket.socket, context: ssl.SSLContext, server: SqlServer) -> None:
    with line, suppress(ConnectionLost, OSError, ssl.SSLError):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.connections.append(line)
        _Session(line, context, server).run()


class _Session:
    def __init__(self, line: socket.socket, context: ssl.SSLContext, server: SqlServer) -> None:
        self._line, self._server = line, server
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._secure, self._buffer = False, b""
        self._transactions = self._numbers = 0

    def run(self) -> None:
        _, body = self._message()
        self._send(tds.prelogin_response(body))
        self._shake_hands()
        _, body = self._message()
        login = Login.read(body)
        self._server.logins.append(login)
        refused = self._server.sign_in(login)
        if refused is not None:
            self._send(tds.error(refused, "scripted", 20 if refused == 40613 else 14) + tds.done(status=2))
            return
        self._send(tds.login_ack(by_token=login.token is not None))
        while True:
            self._answer(*self._message())

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == tds.ATTENTION:
            self._send(tds.done(status=0x20))
        elif kind == tds.TRANSACTION:
            self._send(self._transact(body[struct.unpack("<I", body[:4])[0] :]))
        else:
            asked = tds.statements(kind, body)
            self._send(b"".join(self._say(kind, each, is_last=each is asked[-1]) for each in asked))

    def _transact(self, body: bytes) -> bytes:
        request = struct.unpack("<H", body[:2])[0]
        statement = Statement(_REQUESTS[request])
        self._server.statements.append(statement)
        answer = self._server.script(statement)
        if isinstance(answer, Error):
            return tds.error(answer.number, "scripted") + tds.done(status=2)
        if request == 5:
            self._transactions += 1
        descriptor = struct.pack("<Q", self._transactions)
        if request == 5:
            return tds.env_change(b"\x08\x08" + descriptor + b"\x00") + tds.done()
        return tds.env_change(bytes([9 if request == 7 else 10]) + b"\x00\x08" + descriptor) + tds.done()

    def _say(self, kind: int, statement: Statement, *, is_last: bool) -> bytes:
        self._numbers += 1
        self._server.statements.append(statement)
        answer = self._server.script(statement)
        reply = tds.Reply()
        if isinstance(answer, Error):
            reply = tds.Reply(tds.error(answer.number, "scripted"), failed=True)
        elif isinstance(answer, Rows):
            reply = tds.Reply(tds.rows(answer.names, answer.values), len(answer.values))
        elif answer is not None:
            reply = tds.Reply(rows=answer)
        if kind == tds.BATCH:
            return reply.to_batch(is_last=is_last)
        return reply.to_call(statement.procedure, self._numbers, is_last=is_last)

    def _shake_hands(self) -> None:
        """TLS inside packets of the protocol, as before TDS 8."""
        shaken = False
        while not shaken:
            _, body = self._message()
            self._in.write(body)
            try:
                self._tls.do_handshake()
                shaken = True
            except ssl.SSLWantReadError:
                pass
            if answer := self._out.read():
                self._send(answer, tds.PRELOGIN)
        self._secure = True

    def _message(self) -> tuple[int, bytes]:
        body = b""
        while True:
            head = self._need(8)
            body += self._need(struct.unpack(">H", head[2:4])[0] - 8)
            if head[1] & 1:
                return head[0], body

    def _need(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += self._read()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _read(self) -> bytes:
        if self._secure:
            with suppress(ssl.SSLWantReadError):
                return self._tls.read(65536)
        received = self._line.recv(65536)
        if not received:
            raise ConnectionLost
        if not self._secure:
            return received
        self._in.write(received)
        return b""

    def _send(self, payload: bytes, kind: int = tds.REPLY) -> None:
        out = tds.packets(payload, kind)
        if self._secure:
            self._tls.write(out)
            out = self._out.read()
        self._line.sendall(out)


def _certificate(folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(days=365 * 50)
    address = x509.SubjectAlternativeName(
        [x509.DNSName("127.0.0.1"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=365 * 40))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
