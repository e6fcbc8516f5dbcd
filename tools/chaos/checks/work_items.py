"""Compares what one person's time is on with what they asked for, wherever it is told: its work item and its note."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from typing import Any

from tools.chaos.checks.database import Item, Kept, Row
from tools.chaos.checks.violation import Violation, violation
from tools.chaos.clients.history import STARTS, History, Operation


@dataclass
class Items:
    """Nobody of the fleet moves time to another work item or changes a note, so it stays as it was begun."""

    history: History
    kept: Kept
    _seen: set[tuple[str, str]] = field(default_factory=set)  # what was found once of a timer is not told again

    def violations(self) -> Iterator[Violation]:
        for asked in self.history.operations:
            for told in times(asked.answer):
                yield from self._differs("was told", told["id"], item_of(told), asked)
                yield from self._words_differ(told["id"], told.get("note"), asked)
                yield from self._hours_differ(told["id"], told.get("existingHours"), asked)
        for row in self.kept.log:
            yield from self._differs("is in the log", row.timer, row.item, row)
            if row.after is not None:
                yield from self._differs("is in the log", row.timer, item_of(row.after), row)
                yield from self._words_differ(row.timer, row.note, row)
        for timer, item in self.kept.items.items():
            yield from self._differs("is kept", timer, item, timer)
        for timer, kept in self._kept.items():
            yield from self._words_differ(timer, kept.note, timer)

    @property
    def _begun(self) -> list[Operation]:
        return [each for each in self.history.operations if each.kind in STARTS or each.kind == "enter"]

    @cached_property
    def _kept(self) -> dict[str, Any]:
        """By timer: the row of its entry, or of what runs."""
        return self.kept.entries | {str(each.public_id): each for each in self.kept.running}

    @cached_property
    def _notes(self) -> dict[str, str | None]:
        """By timer: the mark of what surely began it, or the note that was come upon first."""
        done = [(each.mark, self.kept.answer_to(each)) for each in self._begun]
        return {answer[1]["id"]: mark for mark, answer in done if answer and answer[0] == HTTPStatus.CREATED}

    @cached_property
    def _hours(self) -> dict[str, Decimal | None]:
        """By timer: the work item's hours when it began, as they are kept, or were told first."""
        return {timer: _four_places(row.existing_hours) for timer, row in self._kept.items()}

    @cached_property
    def _asked(self) -> dict[str, Operation]:
        """By timer: what it was begun by, as the answer says, or the mark in its note."""
        by_mark = {each.mark: each for each in self._begun}
        rows = [row for row in self.kept.log if row.note in by_mark]
        found = {row.timer: by_mark[row.note] for row in rows if row.note is not None}
        for each in self._begun:
            done = self.kept.answer_to(each)
            if done is not None:
                found.setdefault(done[1]["id"], each)
        return found

    def _differs(self, where: str, timer: str, item: Item, *about: Operation | Row | str) -> Iterator[Violation]:
        asked = self._asked.get(timer)
        if asked is None or asked.body is None:
            return
        wanted = item_of(asked.body)
        if item != wanted:
            detail = f"time on {item[0]} {item[1]} {where}, and {wanted[0]} {wanted[1]} was asked for"
            yield violation(self.history, "changed", detail, asked, *about)

    def _words_differ(self, timer: str, note: str | None, *about: Operation | Row | str) -> Iterator[Violation]:
        wanted = self._notes.setdefault(timer, note)
        if note != wanted and ("note", timer) not in self._seen:
            self._seen.add(("note", timer))
            yield violation(self.history, "changed", f"the note {wanted} has become {note}", timer, *about)

    def _hours_differ(self, timer: str, told: float | None, asked: Operation) -> Iterator[Violation]:
        hours = _four_places(told)
        wanted = self._hours.setdefault(timer, hours)
        if hours != wanted and ("hours", timer) not in self._seen:
            self._seen.add(("hours", timer))
            detail = f"{hours} h were told to be there at the start, and {wanted} h elsewhere"
            yield violation(self.history, "changed", detail, timer, asked)


def _four_places(hours: float | Decimal | None) -> Decimal | None:
    return None if hours is None else Decimal(str(hours)).quantize(Decimal("0.0001"))


def item_of(told: dict[str, Any]) -> Item:
    """The project and the work item of a timer, an entry, or a request for one."""
    return told["project"], told["workItemId"]


def times(answer: object) -> Iterator[dict[str, Any]]:
    """The timers and entries of an answer, however deep."""
    if isinstance(answer, dict):
        if "id" in answer and "workItemId" in answer:
            yield answer
        for each in answer.values():
            yield from times(each)
    elif isinstance(answer, list):
        for each in answer:
            yield from times(each)
