"""Long exports over HTTP, beside a floor that writes the same data: how long, and how much memory at the peak."""

import csv
import http.client
import io
import re
import statistics
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tools.bench.bench import Bench
from tools.bench.data.database import Ground
from tools.bench.load.processes import Host, cpu_seconds, machine_busy_seconds, peak_mb, reset_peak, rss_mb, tree
from tools.bench.load.rounds import LoadFailed
from tools.bench.parts.start_stop import hosts


MOST_SHARE: Final = 10  # a small table's export has a tenth of it
_FIRST: Final = "2026-01-01"
_PATIENCE: Final = 240
_PIECE: Final = 2**18


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of export, how long it is meant to be, and how the rows of one are counted and added up."""

    name: str
    query: str
    rows: int
    counted: Callable[[bytes], tuple[int, int | None]]
    same_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """One export: seconds until its last byte, the server's processor time, and MB at rest and at the peak."""

    seconds: float
    server_cpu: float
    rest_mb: float
    peak_mb: float
    size: int
    foreign_cpu: float


@dataclass(frozen=True, slots=True)
class Export:
    """One kind of export on one engine; floor and ours took turns."""

    engine: str
    kind: str
    rows: int
    floor: list[Taken]
    ours: list[Taken]

    @property
    def seconds(self) -> float:
        return statistics.median(each.seconds for each in self.ours)

    @property
    def rest_mb(self) -> float:
        """Before the first round: a process keeps what an export took, and begins the next one higher."""
        return self.ours[0].rest_mb

    @property
    def peak_mb(self) -> float:
        return max(each.peak_mb for each in self.ours)

    @property
    def above_rest_mb(self) -> float:
        return self.peak_mb - self.rest_mb


def csv_rows(body: bytes) -> tuple[int, int]:
    """Lines without the header, and their milliseconds together."""
    lines = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    each = [int(line["Milliseconds"]) for line in lines]
    return len(each), sum(each)


def workbook_rows(body: bytes) -> tuple[int, None]:
    """Pieces that the longest sheet lists: those of its rows that have a number of a work item."""
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        longest = book.read(max(sheets, key=lambda name: book.getinfo(name).file_size))
    return len(re.findall(rb'<c r="D\d+"(?: s="\d+")?><v>', longest)), None


KINDS: Final = (
    Kind("CSV", "groupBy=user,project,workItem,day&format=csv", 100_000, csv_rows, same_bytes=True),
    Kind("workbook", "format=xlsx", 50_000, workbook_rows),
)


def run(bench: Bench, *, entries: int) -> list[Export]:
    """Every kind on every engine, each with hosts of its own, which have answered nothing before the first round.

    Raises:
        LoadFailed: an export was refused, or has not the rows that are in the table.
    """
    found = []
    for engine in bench.engines:
        on = bench.filled(engine, entries)
        for kind in KINDS:
            last = _last_day(on, min(kind.rows, entries // MOST_SHARE))
            with hosts(bench, on) as (floor, ours):
                found.append(_Exporting(bench, floor, ours, on, kind, last).run())
    return found


def _last_day(on: Ground, wanted: int) -> str:
    """The first day by whose end there are as many pieces as are wanted."""
    low, high = 1, 12 * 28
    while low < high:
        middle = (low + high) // 2
        enough = on.total(_FIRST, _day(middle))[0] >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return _day(low)


def _day(number: int) -> str:
    month, day = divmod(number - 1, 28)
    return f"2026-{month + 1:02}-{day + 1:02}"


@dataclass(frozen=True, slots=True)
class _Exporting:
    """One export to be taken again and again from two hosts on one database."""

    bench: Bench
    floor: Host
    ours: Host
    on: Ground
    kind: Kind
    last: str

    def run(self) -> Export:
        rows, total = self.on.total(_FIRST, self.last)
        export = Export(self.on.engine.name, self.kind.name, rows, [], [])
        for number in range(self.bench.rounds):
            taken, floor_body = self._taken(self.floor)
            export.floor.append(taken)
            taken, body = self._taken(self.ours)
            export.ours.append(taken)
            for each in (floor_body, body):
                self._check(each, rows, total)
            if self.kind.same_bytes and body != floor_body:
                raise LoadFailed("the floor and the product wrote different bytes")
            self.bench.progress(f"{export.kind} on {export.engine}", (number + 1) / self.bench.rounds)
        return export

    def _check(self, body: bytes, rows: int, total: int) -> None:
        found, ms = self.kind.counted(body)
        if found != rows or ms not in (None, total):
            raise LoadFailed(f"{self.kind.name}: {found} rows of {ms} ms where the table has {rows} of {total} ms")

    def _taken(self, host: Host) -> tuple[Taken, bytes]:
        path = f"/api/reports/summary?from={_FIRST}&to={self.last}&{self.kind.query}"
        pids = tree(host.pid)
        reset_peak(pids)
        rest, cpu, busy, own = rss_mb(pids), cpu_seconds(pids), machine_busy_seconds(), time.process_time()
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=_PATIENCE)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.bench.directory.token(0)}"})
        answer = connection.getresponse()
        body = b"".join(iter(lambda: answer.read(_PIECE), b""))
        seconds = time.perf_counter() - began
        connection.close()
        if answer.status != http.client.OK:
            raise LoadFailed(f"{self.kind.name}: {answer.status} {body[:200]!r}")
        spent = cpu_seconds(pids) - cpu
        foreign = machine_busy_seconds() - busy - spent - (time.process_time() - own)
        return Taken(seconds, spent, rest, peak_mb(pids), len(body), foreign), body
