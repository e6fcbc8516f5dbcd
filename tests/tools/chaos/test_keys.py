"""Trouble with Entra's keys meets workers that ask for them, and sees the workers that take it badly."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra import server
from devcloud.emulators.entra.server import Entra
from devcloud.emulators.server import serving
from shared.auth import signing_keys
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import signed_claims
from shared.errors import ApiError
from tools.chaos.clients.history import History
from tools.chaos.cloud.worker import ClockFile
from tools.chaos.faults.signing_keys import Keys


@dataclass
class Worker:
    """Answers as the product does, as far as keys go; `spoil` makes another answer of its status."""

    name: str
    entra: Entra
    clocks: ClockFile
    base: str = ""
    spoil: Callable[[int], int] = lambda status: status
    statuses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self):
        self.keys = SigningKeys(f"{self.entra.url}/common/discovery/v2.0/keys", monotonic=self.clocks.monotonic)

    def kill(self):
        return True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.answer(Request(environ))(environ, start_response)

    def answer(self, request: Request) -> Response:
        status, code = 200, ""
        try:
            signed_claims(request.headers["Authorization"].removeprefix("Bearer "), self.keys)
        except ApiError as error:
            status, code = int(error.status), error.code
        self.statuses.append(self.spoil(status))
        return Response(f'{{"code": "{code}"}}', self.statuses[-1], content_type="application/json")


@dataclass
class Laboratory:
    entra: Entra
    workers: list[Worker]
    fleet: Any
    keys: Keys

    @property
    def seen(self) -> list[str]:
        return [each.detail.partition(":")[0] for each in self.fleet.seen]

    def meet(self, number: int, seed: int = 1) -> int:
        """Makes the trouble of that number, and ends it at once."""
        return self.keys.troubles()[number].begin(random.Random(seed))()  # noqa: S311 - repeats


DOWN, WITHOUT, ROTATED = range(3)


@contextmanager
def standing(entra: Entra, folder: Path, name: str) -> Iterator[Worker]:
    worker = Worker(name, entra, ClockFile(folder / name))

    def make(url: str) -> Worker:
        worker.base = url
        return worker

    with serving(make, port=0):
        yield worker


@pytest.fixture
def laboratory(tmp_path) -> Iterator[Laboratory]:
    with (
        server.running(tmp_path, port=0) as entra,
        standing(entra, tmp_path, "one") as one,
        standing(entra, tmp_path, "two") as two,
    ):
        client = SimpleNamespace(token="")
        somebody = SimpleNamespace(name="p0.0", client=client, history=History("tid", "oid"))
        fleet: Any = SimpleNamespace(people=[somebody], everybody=[somebody], seen=[])
        cloud: Any = SimpleNamespace(workers=[one, two], entra=entra, marketplace=SimpleNamespace(url=entra.url))
        yield Laboratory(entra, [one, two], fleet, Keys(cloud, fleet))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_while_keys_are_down_every_worker_asks_for_them_and_goes_on_with_those_it_knows(laboratory, seed):
    met = laboratory.meet(DOWN, seed)

    assert met >= 2
    assert laboratory.seen == []
    assert [each.statuses[-3:] for each in laboratory.workers] == [[401, 503, 200]] * 2


def test_a_worker_started_while_keys_are_down_asks_for_them_and_serves_nobody(laboratory):
    met = laboratory.meet(WITHOUT)

    assert met == 1
    assert laboratory.seen == []
    assert 503 in [each.statuses[-1] for each in laboratory.workers if each.statuses]


def test_a_rotation_without_notice_makes_every_worker_fetch_the_new_key_and_take_it(laboratory):
    laboratory.meet(DOWN)
    before = laboratory.entra.keys.current.kid
    met = laboratory.meet(ROTATED)
    [somebody] = laboratory.fleet.people

    assert met >= 2
    assert laboratory.seen == []
    assert laboratory.entra.keys.current.kid != before
    assert laboratory.workers[0].keys.get(laboratory.entra.keys.current.kid).has_signed(*signed(somebody.client.token))


def signed(token: str) -> tuple[bytes, bytes]:
    from jwt.utils import base64url_decode  # noqa: PLC0415 - here only

    data, _, signature = token.rpartition(".")
    return data.encode(), base64url_decode(signature)


def test_rotations_go_on_and_leave_a_key_that_was_in_use_just_before_published(laboratory):
    for _ in range(5):
        former = laboratory.entra.keys.current.kid
        assert laboratory.meet(ROTATED) == 2
        assert former in {each.kid for each in laboratory.entra.keys.published}

    assert laboratory.seen == []


def test_keys_that_are_thrown_away_within_the_day_are_seen(laboratory, monkeypatch):
    monkeypatch.setattr(signing_keys, "KEEP_FOR", signing_keys.REFRESH_AFTER)
    laboratory.meet(DOWN)

    assert laboratory.seen == ["a key that was known is not taken while Entra is away"] * 2


def test_valid_tokens_that_are_refused_while_keys_are_down_are_seen(laboratory):
    laboratory.workers[0].spoil = lambda status: 401 if status == 200 else status
    laboratory.meet(DOWN)

    assert laboratory.seen == ["a key that was known is not taken while Entra is away"]


def test_strangers_who_are_let_in_or_break_something_are_seen(laboratory):
    for each, status in zip(laboratory.workers, (200, 500), strict=True):
        each.spoil = lambda _status, status=status: status
    laboratory.meet(DOWN)

    assert set(laboratory.seen) == {"a token that Entra never signed was not refused"}


def test_a_worker_without_keys_that_blames_the_token_is_seen(laboratory):
    for each in laboratory.workers:
        each.spoil = lambda _status: 401
    laboratory.meet(WITHOUT)

    assert laboratory.seen == ["a worker that has no keys answered a valid token"]


def test_a_worker_that_takes_a_new_key_for_unknown_is_seen(laboratory):
    laboratory.meet(DOWN)
    laboratory.workers[0].spoil = lambda _status: 401
    laboratory.meet(ROTATED)

    assert laboratory.seen == ["a key that is published is taken for unknown"]


def test_a_worker_that_takes_a_key_that_it_cannot_ask_for_for_unknown_is_seen(laboratory):
    laboratory.workers[0].spoil = lambda status: 401 if status == 503 else status
    laboratory.meet(DOWN)

    assert laboratory.seen == ["a key that cannot be asked for is taken for unknown"]


def test_a_worker_that_waits_for_minutes_before_it_asks_again_is_seen(laboratory, monkeypatch):
    monkeypatch.setattr(signing_keys, "FETCH_PAUSE", 3000.0)
    monkeypatch.setattr(signing_keys, "FETCH_BURST", 1)
    met = [laboratory.meet(ROTATED) for _ in range(2)]

    assert met == [2, 0]
    assert set(laboratory.seen) == {"a key that is published is not asked for"}


def test_keys_down_for_workers_that_never_ask_have_met_nothing(laboratory, monkeypatch):
    monkeypatch.setattr(SigningKeys, "_start", lambda _self, _now: (None, False))

    assert laboratory.meet(DOWN) == 0
