"""Signing keys against a reference model: rotations, partial responses and outages in any order, and two threads."""

import json
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from devcloud.emulators.entra.keyring import SigningKeyPair
from shared.auth.signing_keys import KeysNotFetched, SigningKeys
from shared.errors import InvalidToken, Unavailable
from tests.support.budget import tries


MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
SPANS = [0, 1, 9, 10, 11, 30, 59, MINUTE, 61, 600, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR, DAY, DAY + HOUR, DAY + HOUR + 1]


@cache
def jwk() -> dict[str, str]:
    """One key for all key ids, since only the ids matter here."""
    return SigningKeyPair.generate().jwk("https://login.example/{tenantid}/v2.0")


@dataclass
class Answer:
    """Entra's next response; None is an outage."""

    usable: tuple[str, ...] | None
    broken: tuple[str, ...] = ()
    issuer: bool = True

    def __call__(self, _url: str) -> bytes:
        if self.usable is None:
            raise KeysNotFetched("http_503")
        dropped = set() if self.issuer else {"issuer"}
        whole = {name: value for name, value in jwk().items() if name not in dropped}
        listed: list[Any] = [{**whole, "kid": each} for each in self.usable]
        return json.dumps({"keys": [*listed, *({"kty": "RSA", "kid": each} for each in self.broken)]}).encode()


@dataclass
class Model:
    """The documented rules, over the whole history of responses."""

    answers: list[tuple[int, frozenset[str], frozenset[str]]] = field(default_factory=list)
    absent: dict[str, int] = field(default_factory=dict)
    tokens: Fraction = Fraction(3)
    filled_at: int = 0
    fetches: int = 0

    def holds(self, kid: str, now: int) -> bool:
        """Whether the key was seen within 25 hours, and not missing from all responses of an hour since."""
        seen = [number for number, (_, usable, _) in enumerate(self.answers) if kid in usable]
        if not seen or now - self.answers[seen[-1]][0] > DAY + HOUR:
            return False
        run: list[int] = []
        for at, _, named in self.answers[seen[-1] + 1 :]:
            run = [] if kid in named else [*run, at]
            if run and run[-1] - run[0] >= HOUR:
                return False
        return True

    def refill(self, now: int) -> None:
        self.tokens = min(Fraction(3), self.tokens + Fraction(now - self.filled_at, 10))
        self.filled_at = now

    def fetch(self, answer: Answer, now: int) -> bool | None:
        """Whether the fetch succeeded; None if none was possible."""
        self.refill(now)
        if self.tokens < 1:
            return None
        self.tokens -= 1
        self.fetches += 1
        if not answer.usable:
            return False
        self.answers.append((now, frozenset(answer.usable), frozenset(answer.usable + answer.broken)))
        return True

    def is_due(self, now: int) -> bool:
        return now - self.answers[-1][0] > HOUR

    def is_warm(self, now: int) -> bool:
        return bool(self.answers) and now - self.answers[-1][0] <= DAY + HOUR

    def get(self, kid: str, answer: Answer, now: int) -> tuple[str, int | None]:
        """The result of `get`: a word, and the seconds to wait before a retry, if any."""
        if self.holds(kid, now):
            if self.is_due(now):
                self.fetch(answer, now)
            return "key", None
        if self.absent.get(kid, now) > now:
            return "unknown_kid", None
        if self.fetch(answer, now):
            if self.holds(kid, now):
                return "key", None
            self.absent[kid] = now + MINUTE
            return "unknown_kid", None
        self.refill(now)
        wait = max(1, math.ceil((1 - self.tokens) * 10))
        return ("signing_key_unknown" if self.is_warm(now) else "signing_keys_unavailable"), wait


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now, self.made, self.published = 0, 2, ("key-0", "key-1")
        self.answer, self.model, self.asked = Answer(self.published), Model(), 0
        self.keys = SigningKeys("", monotonic=lambda: float(self.now), fetch=self.fetch)

    def fetch(self, url: str) -> bytes:
        self.asked += 1
        return self.answer(url)

    @rule(seconds=st.sampled_from(SPANS) | st.integers(0, 2 * HOUR))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(drop_old=st.booleans())
    def rotate(self, *, drop_old: bool) -> None:
        kept = () if drop_old else self.published[:2]
        self.published = (f"key-{self.made}", *kept)
        self.made += 1
        self.recover()

    @rule()
    def recover(self) -> None:
        self.answer = Answer(self.published)

    @rule(data=st.data(), issuer=st.booleans())
    def answer_thinly(self, data: st.DataObject, *, issuer: bool) -> None:
        """Responds with some of the keys, some of them incomplete, or with none."""
        states = {each: data.draw(st.sampled_from(["usable", "broken", "left out"])) for each in self.published}
        usable, broken = (tuple(k for k, what in states.items() if what == word) for word in ("usable", "broken"))
        self.answer = Answer(usable, broken, issuer=issuer)

    @rule()
    def fail(self) -> None:
        self.answer = Answer(None)

    @rule(number=st.integers(-2, 8), times=st.integers(1, 5))
    def ask(self, number: int, times: int) -> None:
        kid = f"key-{self.made - 1 - number}" if number >= 0 else f"nobody-{number}"
        for _ in range(times):
            expected = self.model.get(kid, self.answer, self.now)
            assert self.get(kid) == expected

    @rule(hours=st.integers(1, 3))
    def ask_hourly(self, hours: int) -> None:
        for hour in range(hours):
            self.ask(-1, 1)
            self.wait(HOUR if hour < hours - 1 else 0)

    def get(self, kid: str) -> tuple[str, int | None]:
        try:
            key = self.keys.get(kid)
        except InvalidToken as error:
            return error.reason, None
        except Unavailable as error:
            return error.code, int(error.headers["Retry-After"])
        finally:
            while self.keys._running is not None:
                time.sleep(0.0001)
        assert key.issuer in {None, jwk()["issuer"]}
        return "key", None

    @invariant()
    def asks_as_often_as_the_model(self) -> None:
        assert self.asked == self.model.fetches

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        kids = [f"key-{number}" for number in range(self.made)]
        held = {kid for kid in kids if self.keys._find(kid, self.now) is not None}
        assert held == {kid for kid in kids if self.model.holds(kid, self.now)}

    @invariant()
    def remembers_little(self) -> None:
        assert len(self.keys._unknown_until) <= 9


TestKeys = Machine.TestCase
TestKeys.settings = settings(max_examples=tries(60), stateful_step_count=40, deadline=None)


def outcome_of(keys: SigningKeys, kid: str) -> str:
    try:
        keys.get(kid)
    except InvalidToken:
        return f"{kid.partition('-')[0]} refused"
    except Unavailable:
        return "not now"
    return f"{kid.partition('-')[0]} taken"


@pytest.mark.parametrize("seed", range(3))
def test_a_published_key_is_unknown_to_no_thread(seed):
    dice, published, asked, over = random.Random(seed), ["key-0"], [], threading.Event()  # noqa: S311 - repeats
    clock = [0.0]

    def fetch(url: str) -> bytes:
        asked.append(url)
        answer = Answer(None if dice.random() < 0.2 else tuple(published))
        time.sleep(0.001)
        return answer(url)

    keys = SigningKeys("", monotonic=lambda: clock[0], fetch=fetch)

    def work(number: int) -> set[str]:
        outcomes, own = set(), random.Random(f"{seed}-{number}")  # noqa: S311 - repeats
        while not over.is_set():
            kid = own.choice([own.choice(published), published[-1], f"nobody-{own.randrange(5)}"])
            outcomes.add(outcome_of(keys, kid))
        return outcomes

    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work, number) for number in range(2)]
        for number in range(1, 200):
            time.sleep(0.002)
            clock[0] += dice.choice([0.0, 1.0, 5.0, 20.0, 700.0])
            if number % 10 == 0:
                published.append(f"key-{number // 10}")
        over.set()
        outcomes = set().union(*(each.result() for each in working))

    assert "key taken" in outcomes
    assert "key refused" not in outcomes
    assert "nobody taken" not in outcomes
    assert len(asked) <= 3 + clock[0] / 10
