"""Compares work items, notes and existing hours with the requests, in responses, log and entries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from typing import Any

from tools.chaos.checks.database import ItemKey, LogRow, PersonRows
from tools.chaos.checks.violation import Violation, build_violation
from tools.chaos.clients.history import STARTS, History, Operation


@dataclass
class WorkItemChecks:
    """Test users never change the work item or the note, so both stay as at the start."""

    history: History
    rows: PersonRows
    _reported: set[tuple[str, str]] = field(default_factory=set)  # each violation of a timer once

    def violations(self) -> Iterator[Violation]:
        for operation in self.history.operations:
            for shown in find_timers(operation.answer):
                yield from self._check_item("was shown", shown["id"], item_of(shown), operation)
                yield from self._check_note(shown["id"], shown.get("note"), operation)
                yield from self._check_hours(shown["id"], shown.get("existingHours"), operation)
        for row in self.rows.log:
            yield from self._check_item("is in the log", row.timer, row.item, row)
            if row.after is not None:
                yield from self._check_item("is in the log", row.timer, item_of(row.after), row)
                yield from self._check_note(row.timer, row.note, row)
        for timer, item in self.rows.items.items():
            yield from self._check_item("is stored", timer, item, timer)
        for timer, row in self._rows_by_timer.items():
            yield from self._check_note(timer, row.note, timer)

    @property
    def _starting_operations(self) -> list[Operation]:
        return [each for each in self.history.operations if each.kind in STARTS or each.kind == "enter"]

    @cached_property
    def _rows_by_timer(self) -> dict[str, Any]:
        """By timer: the row of its entry or of the running timer."""
        return self.rows.entries | {str(each.public_id): each for each in self.rows.running}

    @cached_property
    def _notes(self) -> dict[str, str | None]:
        """By timer: the mark of its certain start; `_check_note` adds the first note of other timers."""
        starts = [(each.mark, self.rows.response_to(each)) for each in self._starting_operations]
        return {answer[1]["id"]: mark for mark, answer in starts if answer and answer[0] == HTTPStatus.CREATED}

    @cached_property
    def _hours(self) -> dict[str, Decimal | None]:
        """By timer: the stored existing hours; `_check_hours` adds the first shown hours of other timers."""
        return {timer: _four_places(row.existing_hours) for timer, row in self._rows_by_timer.items()}

    @cached_property
    def _operations(self) -> dict[str, Operation]:
        """By timer: the request that started it, found by the response or by the mark in the note."""
        by_mark = {each.mark: each for each in self._starting_operations}
        rows = [row for row in self.rows.log if row.note in by_mark]
        operations = {row.timer: by_mark[row.note] for row in rows if row.note is not None}
        for each in self._starting_operations:
            response = self.rows.response_to(each)
            if response is not None:
                operations.setdefault(response[1]["id"], each)
        return operations

    def _check_item(
        self, where: str, timer: str, item: ItemKey, *about: Operation | LogRow | str
    ) -> Iterator[Violation]:
        operation = self._operations.get(timer)
        if operation is None or operation.body is None:
            return
        expected = item_of(operation.body)
        if item != expected:
            detail = f"time on {item[0]} {item[1]} {where}, but {expected[0]} {expected[1]} was requested"
            yield build_violation(self.history, "changed", detail, operation, *about)

    def _check_note(self, timer: str, note: str | None, *about: Operation | LogRow | str) -> Iterator[Violation]:
        expected = self._notes.setdefault(timer, note)
        if note != expected and ("note", timer) not in self._reported:
            self._reported.add(("note", timer))
            yield build_violation(self.history, "changed", f"the note {expected} became {note}", timer, *about)

    def _check_hours(self, timer: str, shown: float | None, operation: Operation) -> Iterator[Violation]:
        hours = _four_places(shown)
        expected = self._hours.setdefault(timer, hours)
        if hours != expected and ("hours", timer) not in self._reported:
            self._reported.add(("hours", timer))
            detail = f"{hours} existing hours here, {expected} elsewhere"
            yield build_violation(self.history, "changed", detail, timer, operation)


def _four_places(hours: float | Decimal | None) -> Decimal | None:
    return None if hours is None else Decimal(str(hours)).quantize(Decimal("0.0001"))


def item_of(shown: dict[str, Any]) -> ItemKey:
    """The project and the work item of a timer, an entry, or a request for one."""
    return shown["project"], shown["workItemId"]


def find_timers(answer: object) -> Iterator[dict[str, Any]]:
    """The timers and entries in a response, at any depth."""
    if isinstance(answer, dict):
        if "id" in answer and "workItemId" in answer:
            yield answer
        for each in answer.values():
            yield from find_timers(each)
    elif isinstance(answer, list):
        for each in answer:
            yield from find_timers(each)
