"""Faults of Entra's keys affect workers that fetch keys, and find workers that handle them wrongly."""

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
from shared.auth.tokens import verify_signature
from shared.errors import ApiError
from tools.chaos.clients.history import History
from tools.chaos.cloud.worker import ClockFile
from tools.chaos.faults.signing_keys import KeyFaults


@dataclass
class Worker:
    """Checks keys like the product; `change_status` makes it misbehave."""

    name: str
    entra: Entra
    clocks: ClockFile
    base: str = ""
    change_status: Callable[[int], int] = lambda status: status
    statuses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self):
        self.keys = SigningKeys(f"{self.entra.url}/common/discovery/v2.0/keys", monotonic=self.clocks.monotonic)

    def kill(self):
        return True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        status, code = 200, ""
        try:
            verify_signature(request.headers["Authorization"].removeprefix("Bearer "), self.keys)
        except ApiError as error:
            status, code = int(error.status), error.code
        self.statuses.append(self.change_status(status))
        return Response(f'{{"code": "{code}"}}', self.statuses[-1], content_type="application/json")


@dataclass
class KeyFaultRun:
    entra: Entra
    workers: list[Worker]
    fleet: Any
    keys: KeyFaults

    @property
    def violations(self) -> list[str]:
        return [each.detail.partition(":")[0] for each in self.fleet.violations]

    def inject(self, number: int, seed: int = 1) -> int:
        """Begins the fault of that number and ends it at once."""
        return self.keys.build()[number].begin(random.Random(seed))()  # noqa: S311 - repeats


DOWN, WITHOUT, ROTATED = range(3)


@contextmanager
def start_worker(entra: Entra, folder: Path, name: str) -> Iterator[Worker]:
    worker = Worker(name, entra, ClockFile(folder / name))

    def make(url: str) -> Worker:
        worker.base = url
        return worker

    with serving(make, port=0):
        yield worker


@pytest.fixture
def key_faults(tmp_path) -> Iterator[KeyFaultRun]:
    with (
        server.running(tmp_path, port=0) as entra,
        start_worker(entra, tmp_path, "one") as one,
        start_worker(entra, tmp_path, "two") as two,
    ):
        client = SimpleNamespace(token="")
        person = SimpleNamespace(name="p0.0", client=client, history=History("tid", "oid"))
        fleet: Any = SimpleNamespace(people=[person], all_people=[person], violations=[])
        cloud: Any = SimpleNamespace(workers=[one, two], entra=entra, marketplace=SimpleNamespace(url=entra.url))
        yield KeyFaultRun(entra, [one, two], fleet, KeyFaults(cloud, fleet))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_during_an_outage_of_keys_every_worker_uses_its_known_keys(key_faults, seed):
    affected = key_faults.inject(DOWN, seed)

    assert affected >= 2
    assert key_faults.violations == []
    assert [each.statuses[-3:] for each in key_faults.workers] == [[401, 503, 200]] * 2


def test_a_worker_started_without_keys_answers_503(key_faults):
    affected = key_faults.inject(WITHOUT)

    assert affected == 1
    assert key_faults.violations == []
    assert 503 in [each.statuses[-1] for each in key_faults.workers if each.statuses]


def test_every_worker_fetches_and_accepts_a_new_key(key_faults):
    key_faults.inject(DOWN)
    before = key_faults.entra.keys.current.kid
    affected = key_faults.inject(ROTATED)
    [person] = key_faults.fleet.people

    assert affected >= 2
    assert key_faults.violations == []
    assert key_faults.entra.keys.current.kid != before
    assert key_faults.workers[0].keys.get(key_faults.entra.keys.current.kid).verify(*split_token(person.client.token))


def split_token(token: str) -> tuple[bytes, bytes]:
    from jwt.utils import base64url_decode  # noqa: PLC0415 - here only

    data, _, signature = token.rpartition(".")
    return data.encode(), base64url_decode(signature)


def test_the_previous_key_stays_published_after_a_rotation(key_faults):
    for _ in range(5):
        former = key_faults.entra.keys.current.kid
        assert key_faults.inject(ROTATED) == 2
        assert former in {each.kid for each in key_faults.entra.keys.published}

    assert key_faults.violations == []


def test_keys_discarded_within_a_day_are_found(key_faults, monkeypatch):
    monkeypatch.setattr(signing_keys, "KEEP_FOR", signing_keys.REFRESH_AFTER)
    key_faults.inject(DOWN)

    assert key_faults.violations == ["a known key is refused while Entra is down"] * 2


def test_valid_tokens_refused_during_an_outage_are_found(key_faults):
    key_faults.workers[0].change_status = lambda status: 401 if status == 200 else status
    key_faults.inject(DOWN)

    assert key_faults.violations == ["a known key is refused while Entra is down"]


def test_unpublished_keys_that_are_accepted_or_cause_a_500_are_found(key_faults):
    for each, status in zip(key_faults.workers, (200, 500), strict=True):
        each.change_status = lambda _status, status=status: status
    key_faults.inject(DOWN)

    assert set(key_faults.violations) == {"a token with an unpublished key was not refused"}


def test_a_worker_without_keys_that_answers_401_is_found(key_faults):
    for each in key_faults.workers:
        each.change_status = lambda _status: 401
    key_faults.inject(WITHOUT)

    assert key_faults.violations == ["a worker without keys answered a valid token"]


def test_a_worker_that_refuses_a_new_key_is_found(key_faults):
    key_faults.inject(DOWN)
    key_faults.workers[0].change_status = lambda _status: 401
    key_faults.inject(ROTATED)

    assert key_faults.violations == ["a published key counts as unknown"]


def test_a_worker_that_answers_401_without_fetching_keys_is_found(key_faults):
    key_faults.workers[0].change_status = lambda status: 401 if status == 503 else status
    key_faults.inject(DOWN)

    assert key_faults.violations == ["a key that cannot be fetched counts as unknown"]


def test_a_worker_that_delays_the_fetch_for_minutes_is_found(key_faults, monkeypatch):
    monkeypatch.setattr(signing_keys, "FETCH_PAUSE", 3000.0)
    monkeypatch.setattr(signing_keys, "FETCH_BURST", 1)
    affected = [key_faults.inject(ROTATED) for _ in range(2)]

    assert affected == [2, 0]
    assert set(key_faults.violations) == {"a published key is not fetched"}


def test_an_outage_without_requests_for_keys_has_no_effect(key_faults, monkeypatch):
    monkeypatch.setattr(SigningKeys, "_start", lambda _self, _now: (None, False))

    assert key_faults.inject(DOWN) == 0
