"""Messages of SQL Server's protocol TDS 7.4, for Microsoft's driver to sign in, send statements and read rows."""

import datetime as dt
import struct
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final


BATCH, RPC, ATTENTION, TRANSACTION, LOGIN = 1, 3, 6, 14, 16
REPLY, PRELOGIN = 4, 18
_COLLATION: Final = b"\x09\x04\xd0\x00\x34"
_DAY_ONE: Final = dt.date(1, 1, 1)
_PREPARE: Final = (11, 13)  # sp_prepare and sp_prepexec, which return a handle
DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF


def long_text(text: str) -> bytes:
    return struct.pack("<H", len(text)) + text.encode("utf-16-le")


def short_text(text: str) -> bytes:
    return struct.pack("<B", len(text)) + text.encode("utf-16-le")


def packets(payload: bytes, kind: int) -> bytes:
    """A message cut into packets of at most 4096 bytes."""
    pieces = [payload[at : at + 4088] for at in range(0, len(payload), 4088)] or [b""]
    last = len(pieces) - 1
    heads = (
        struct.pack(">BBHHBB", kind, number == last, len(piece) + 8, 51, number + 1 & 255, 0)
        for number, piece in enumerate(pieces)
    )
    return b"".join(head + piece for head, piece in zip(heads, pieces, strict=True))


def error(number: int, text: str, severity: int = 16) -> bytes:
    body = struct.pack("<iBB", number, 1, severity) + long_text(text) + short_text("scripted") + short_text("")
    body += struct.pack("<i", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def done(kind: int = DONE, status: int = 0, rows: int = 0) -> bytes:
    return struct.pack("<BHHQ", kind, status, 0, rows)


def env_change(body: bytes) -> bytes:
    return b"\xe3" + struct.pack("<H", len(body)) + body


def login_ack(*, by_token: bool) -> bytes:
    product = b"\x01" + struct.pack(">I", 0x74000004) + short_text("Microsoft SQL Server") + bytes([16, 0, 3, 232])
    answer = env_change(b"\x01" + short_text("timetracker") + short_text(""))
    answer += env_change(b"\x07\x05" + _COLLATION + b"\x00") + env_change(
        b"\x04" + short_text("4096") + short_text("4096")
    )
    answer += b"\xad" + struct.pack("<H", len(product)) + product
    if by_token:
        answer += b"\xae\x02" + struct.pack("<I", 0) + b"\xff"
    return answer + done()


def prelogin_response(body: bytes) -> bytes:
    """Encryption on, no instance, no MARS; a token is allowed if the client asks for it."""
    asked: dict[int, bytes] = {}
    at = 0
    while body[at] != 0xFF:
        kind, offset, length = struct.unpack(">BHH", body[at : at + 5])
        asked[kind] = body[offset : offset + length]
        at += 5
    options = {0: struct.pack(">BBHH", 16, 0, 1000, 0), 1: b"\x01", 2: b"\x00", 3: b"", 4: b"\x00"}
    if asked.get(6) == b"\x01":
        options[6] = b"\x01"
    head, data, start = b"", b"", 5 * len(options) + 1
    for kind, value in options.items():
        head += struct.pack(">BHH", kind, start + len(data), len(value))
        data += value
    return head + b"\xff" + data


@dataclass(frozen=True)
class Login:
    user: str
    app: str
    database: str
    token: bytes | None

    @classmethod
    def read(cls, body: bytes) -> "Login":
        def span(at: int) -> tuple[int, int]:
            offset, length = struct.unpack("<HH", body[at : at + 4])
            return offset, length

        def text(at: int) -> str:
            offset, length = span(at)
            return body[offset : offset + 2 * length].decode("utf-16-le")

        token = None
        if body[27] & 0x10:  # the login has extensions, at an offset given in it
            at = struct.unpack("<I", body[span(56)[0] : span(56)[0] + 4])[0]
            while body[at] != 0xFF:
                kind, length = body[at], struct.unpack("<I", body[at + 1 : at + 5])[0]
                value = body[at + 5 : at + 5 + length]
                if kind == 2 and value[0] >> 1 == 1:  # a token fetched by the client
                    token = value[5 : 5 + struct.unpack("<I", value[1:5])[0]]
                at += 5 + length
        return cls(user=text(40), app=text(48), database=text(68), token=token)


@dataclass(frozen=True)
class Statement:
    """A statement from the driver: its text, and the declared type of each parameter, as `bigint` or `nvarchar(64)`."""

    sql: str
    declared: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    procedure: int | None = None


def statements(kind: int, body: bytes) -> list[Statement]:
    """The statements of a batch (one text) or of remote calls (such as sp_prepexec)."""
    body = body[struct.unpack("<I", body[:4])[0] :]
    if kind == BATCH:
        return [Statement(body.decode("utf-16-le"))]
    return _Calls(body).read()


class _Calls:
    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def read(self) -> list[Statement]:
        found = []
        while self._at < len(self._body):
            found.append(self._call())
        return found

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._body[self._at - count : self._at]

    def _number(self, format_: str) -> int:
        value: int = struct.unpack(format_, self._take(struct.calcsize(format_)))[0]
        return value

    def _call(self) -> Statement:
        length = self._number("<H")
        named = "" if length == 0xFFFF else self._take(2 * length).decode("utf-16-le")
        procedure = self._number("<H") if length == 0xFFFF else 0
        self._take(2)
        values: list[Any] = []
        while self._at < len(self._body):
            if self._body[self._at] in {0x80, 0xFF}:
                self._take(1)
                break
            self._take(2 * self._number("<B") + 1)  # name and direction of the parameter
            values.append(self._value())
        texts = values[1:3] if procedure == 13 else values[0:2] if procedure == 10 else ["", ""]
        declared, sql = (texts[1], texts[0]) if procedure == 10 else (texts[0], texts[1])
        parts = _split(declared or "")
        return Statement(
            sql or f"<{named or procedure}>", parts, tuple(values[3 if procedure == 13 else 2 :]), procedure
        )

    def _value(self) -> object:
        kind = self._number("<B")
        if kind in {0x26, 0x24, 0x68, 0x6D}:  # integers, GUIDs, bits, floats
            self._take(1)
            raw = self._take(self._number("<B"))
            if not raw:
                return None
            return uuid.UUID(bytes_le=raw) if kind == 0x24 else int.from_bytes(raw, "little", signed=kind == 0x26)
        if kind in {0x6A, 0x6C}:
            scale = self._take(3)[2]
            raw = self._take(self._number("<B"))
            size = Decimal(int.from_bytes(raw[1:], "little")).scaleb(-scale) if raw else None
            return size if size is None or raw[0] else -size
        if kind in {0x28, 0x29, 0x2A, 0x2B}:
            if kind != 0x28:
                self._take(1)
            raw = self._take(self._number("<B"))
            return _DAY_ONE + dt.timedelta(days=int.from_bytes(raw, "little")) if raw and kind == 0x28 else raw or None
        assert kind in {0xE7, 0xA7, 0xA5}, hex(kind)
        return self._text(kind)

    def _text(self, kind: int) -> str | bytes | None:
        length = self._number("<H")
        if kind != 0xA5:
            self._take(5)
        if length != 0xFFFF:
            size = self._number("<H")
            raw = None if size == 0xFFFF else self._take(size)
        elif self._number("<Q") == 0xFFFFFFFFFFFFFFFF:
            raw = None
        else:
            raw = b""
            while size := self._number("<I"):
                raw += self._take(size)
        if raw is None or kind == 0xA5:
            return raw
        return raw.decode("utf-16-le" if kind == 0xE7 else "latin-1")


def _split(declared: str) -> tuple[str, ...]:
    """The types in `@P1 bigint,@P2 decimal(19,4)`."""
    types, depth = [""], 0
    for character in declared:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            types.append("")
        else:
            types[-1] += character
    return tuple(each.partition(" ")[2] for each in types if each)


def rows(names: tuple[str, ...], values: list[tuple[Any, ...]]) -> bytes:
    """A result set; each column has the type of its first value, or text without values."""
    samples = [next((row[at] for row in values if row[at] is not None), "") for at in range(len(names))]
    out = b"\x81" + struct.pack("<H", len(names))
    for name, sample in zip(names, samples, strict=True):
        out += struct.pack("<IH", 0, 9) + _type(sample) + short_text(name)
    for row in values:
        out += b"\xd1" + b"".join(_encoded(value, sample) for value, sample in zip(row, samples, strict=True))
    return out


_TYPES: Final = (  # a bool is an int, and an instant is a date
    (bool, b"\x68\x01"),
    (int, b"\x26\x08"),
    (uuid.UUID, b"\x24\x10"),
    (Decimal, b"\x6c\x11\x13\x04"),
    (dt.datetime, b"\x2b\x03"),
    (dt.date, b"\x28"),
    (str, b"\xe7" + struct.pack("<H", 8000) + _COLLATION),
)


def _type(sample: object) -> bytes:
    return next(description for kind, description in _TYPES if isinstance(sample, kind))


def _encoded(value: object, sample: object) -> bytes:
    if value is None:
        return b"\xff\xff" if isinstance(sample, str) else b"\x00"
    if isinstance(value, str):
        raw = value.encode("utf-16-le")
        return struct.pack("<H", len(raw)) + raw
    raw = _raw(value)
    return struct.pack("<B", len(raw)) + raw


def _raw(value: Any) -> bytes:  # noqa: ANN401 - any column value
    match value:
        case bool():
            return bytes([value])
        case int():
            return struct.pack("<q", value)
        case uuid.UUID():
            return value.bytes_le
        case Decimal():
            return bytes([value >= 0]) + int(abs(value).scaleb(4)).to_bytes(16, "little")
        case dt.datetime():
            since = value - value.replace(hour=0, minute=0, second=0, microsecond=0)
            return (since // dt.timedelta(milliseconds=1)).to_bytes(4, "little") + _raw(value.date()) + b"\x00\x00"
        case _:
            days: int = (value - _DAY_ONE).days
            return days.to_bytes(3, "little")


@dataclass(frozen=True)
class Reply:
    """The response to a statement: its tokens, the number of found or changed rows, and whether it failed."""

    tokens: bytes = b""
    rows: int | None = None
    failed: bool = False

    def to_batch(self, *, is_last: bool) -> bytes:
        status = (not is_last) | (0x10 if self.rows is not None else 0) | (2 if self.failed else 0)
        return self.tokens + done(DONE, status, self.rows or 0)

    def to_call(self, procedure: int | None, handle: int, *, is_last: bool) -> bytes:
        """The response to a remote call, with the procedure's status and the handle of a prepared statement."""
        inside = b"" if self.failed else done(DONE_IN_PROC, 1 | (0x10 if self.rows is not None else 0), self.rows or 0)
        tail = b"\x79" + struct.pack("<i", 0)
        if procedure in _PREPARE:
            head = struct.pack("<H", 0) + short_text("") + b"\x01" + struct.pack("<IH", 0, 0) + b"\x26\x04"
            tail += b"\xac" + head + b"\x04" + struct.pack("<i", handle)
        return self.tokens + inside + tail + done(DONE_PROC, (not is_last) | (2 if self.failed else 0))
