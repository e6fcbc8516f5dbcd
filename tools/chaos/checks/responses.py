"""Judges what one person was granted and shown: it could be so while they asked, and it is what is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from tools.chaos.checks.database import Kept, Logged, Row
from tools.chaos.checks.violation import Violation, same, violation
from tools.chaos.checks.work_items import item_of, times
from tools.chaos.clients.history import STARTS, History, Json, Operation, Outcome
from tools.chaos.clients.timeline import Moments


_INSTANTS: Final = ("startedAt", "stoppedAt")
# What the log keeps of a version of an entry, spelled as on the wire
_LOGGED: Final = ("elapsedMs", "note", "source", "needsReview", "project", "workItemId")
_ON_THEIR_WAY: Final = "writeBack"  # told anew after the commit, when the hours have got further


@dataclass
class Granted:
    """Of what was acknowledged; which rows it left is for the Explanation to see."""

    history: History
    kept: Kept
    moments: Moments
    logged: Logged

    def violations(self) -> Iterator[Violation]:
        for asked in self.history.operations:
            if asked.outcome is Outcome.ACKNOWLEDGED:
                yield from self._kept_answer(asked)
                yield from self._granted(asked)
                yield from self._shown(asked)

    def _kept_answer(self, asked: Operation) -> Iterator[Violation]:
        """A repeat with the same Idempotency-Key would be answered by what is kept for it."""
        if asked.key is None:
            return
        if asked.key not in self.kept.answers:
            yield self._wrong("lost", "the answer kept for an Idempotency-Key is gone", asked)
            return
        status, answer = self.kept.answers[asked.key]
        if status != asked.status or _settled(answer) != _settled(asked.answer or {}):
            yield self._wrong("changed", "another answer is kept for an Idempotency-Key than was given", asked)

    def _granted(self, asked: Operation) -> Iterator[Violation]:
        answer, named = asked.answer or {}, (asked.body or {}).get("timerId")
        if named is not None and answer.get("id") != named:
            yield self._wrong("changed", "another timer was answered than the one that was named", asked)
        if asked.kind in STARTS and asked.status == HTTPStatus.OK and not self._ran(asked):
            yield self._wrong("invented", "what was running already did at no time run", asked)
        if asked.kind == "discard" and asked.number not in self._causes and None not in self.moments.running(asked):
            yield self._wrong("lost", "an acknowledged discard let a timer run on", asked)

    def _ran(self, asked: Operation) -> bool:
        """Whether what was asked for, and no other work item, can have run."""
        timer, item = (asked.answer or {}).get("id"), item_of(asked.body or {})
        running = self.moments.running(asked)
        return any(each is not None and (each.timer, each.item) == (timer, item) for each in running)

    def _shown(self, asked: Operation) -> Iterator[Violation]:
        """Every version of an entry that was told, by a change or by a look, is in the log, and just so."""
        for told in times(asked.answer):
            if "version" not in told:
                continue  # a timer that runs
            row = self.logged.versions.get((told["id"], told["version"]))
            if row is None:
                yield self._wrong("lost", "an entry that was shown is not in the log", asked)
            elif differs := list(_differing(told, row.after or {})):
                yield self._wrong("changed", f"{', '.join(differs)} of an entry that was shown", asked, row)

    @cached_property
    def _causes(self) -> set[int]:
        return {each.number for each in self.moments.causes.values()}

    def _wrong(self, what: str, detail: str, *about: Operation | Row) -> Violation:
        return violation(self.history, what, detail, *about)


def _differing(told: Json, after: Json) -> Iterator[str]:
    yield from (name for name in _INSTANTS if not same(told[name], after[name]))
    yield from (name for name in _LOGGED if told.get(name) != after.get(name))


def _settled(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    """Without how far the hours are on their way to Completed Work."""
    if isinstance(answer, dict):
        return {name: _settled(value) for name, value in answer.items() if not name.startswith(_ON_THEIR_WAY)}
    return [_settled(each) for each in answer] if isinstance(answer, list) else answer
