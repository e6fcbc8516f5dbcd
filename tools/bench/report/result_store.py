"""What each part of the bench found last, kept so that a page can be made of runs that were interrupted or apart.

Each run keeps its own in its folder; what the page shows is published beside it, for whoever measures one part anew.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tools.bench.report.result import Bar, Found
from tools.bench.report.tables import Table


_FORM: Final = 1


def keep(folder: Path, name: str, found: Found) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}.draft"
    draft.write_text(json.dumps(_told(found)))
    draft.replace(folder / f"{name}.json")


def newest(folder: Path, page_data: Path, names: Iterable[str]) -> dict[str, Found]:
    """What was found last, here or for the published page; parts never measured in today's form are left out."""
    published = json.loads(page_data.read_text()) if page_data.exists() else {}
    found = {name: _later(_found(published.get(name)), _kept(folder, name)) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def publish(page_data: Path, found: Mapping[str, Found]) -> None:
    page_data.write_text(json.dumps({name: _told(each) for name, each in found.items()}, indent=1) + "\n")


def _later(published: Found | None, kept: Found | None) -> Found | None:
    both = [each for each in (published, kept) if each is not None]
    return max(reversed(both), key=lambda each: each.day, default=None)


def _kept(folder: Path, name: str) -> Found | None:
    file = folder / f"{name}.json"
    return _found(json.loads(file.read_text())) if file.exists() else None


def _told(found: Found) -> dict[str, Any]:
    return {"form": _FORM, **asdict(found)}


def _found(told: dict[str, Any] | None) -> Found | None:
    if told is None or told["form"] != _FORM:
        return None
    told = {key: value for key, value in told.items() if key != "form"}
    tables = {
        each: Table(table["title"], tuple(table["head"]), table["rows"]) for each, table in told.pop("tables").items()
    }
    return Found(tables=tables, bars=[Bar(**bar) for bar in told.pop("bars")], **told)
