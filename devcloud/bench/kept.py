"""What each part of the bench found last, kept so that a page can be made of runs that were interrupted or apart."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from devcloud.bench.found import Bar, Found
from devcloud.bench.tables import Table


_FORM: Final = 1


def keep(folder: Path, name: str, found: Found) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}.draft"
    draft.write_text(json.dumps({"form": _FORM, **asdict(found)}))
    draft.replace(folder / f"{name}.json")


def kept(folder: Path, name: str) -> Found | None:
    """None where the part was never measured, or by a bench that told it otherwise."""
    file = folder / f"{name}.json"
    if not file.exists():
        return None
    told = json.loads(file.read_text())
    if told.pop("form") != _FORM:
        return None
    tables = {
        each: Table(table["title"], tuple(table["head"]), table["rows"]) for each, table in told.pop("tables").items()
    }
    return Found(tables=tables, bars=[Bar(**bar) for bar in told.pop("bars")], **told)
