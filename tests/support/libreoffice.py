"""Opens files in LibreOffice Calc, which recalculates and redraws them, and reads the results."""

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest


_SECONDS = 300  # the first start creates a profile
_ANY_SEPARATOR = "44/59/9"  # comma, semicolon and tab, as in the dialog of LibreOffice


def find_program() -> str:
    """The path of LibreOffice; without it the test is skipped, and fails in CI."""
    found = shutil.which("soffice")
    if found is None:
        message = "there is no LibreOffice on this machine; scripts/libreoffice tells how to get one"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def recalculate(directory: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Opens, recalculates and saves workbooks, by name."""
    return _convert(directory, files, [])


def import_csv(
    directory: Path, files: Mapping[str, bytes], *, separators: str = _ANY_SEPARATOR, language: int = 1033
) -> dict[str, Any]:
    """The sheets of CSV files, by name; formulas are evaluated, and types are guessed.

    The language is Microsoft's number for it: 1033 for English, 1031 for German.
    """
    options = f"{separators},34,76,1,,{language},false,true,false,false,false,0,true"
    made = _convert(directory, files, [f"--infilter=Text - txt - csv (StarCalc):{options}"])
    return {name: openpyxl.load_workbook(io.BytesIO(body)).active for name, body in made.items()}


def chart_values(workbook: bytes) -> list[list[float]]:
    """The values of each chart of a workbook saved by LibreOffice, as read from its cells."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as package:
        charts = [
            package.read(name).decode() for name in sorted(package.namelist()) if re.match(r"xl/charts/chart\d", name)
        ]
    values = (re.search(r"<c:val>.*?</c:val>", chart, re.DOTALL) for chart in charts)
    return [[float(value) for value in re.findall(r"<c:v>([^<]+)</c:v>", found[0])] for found in values if found]


def _convert(directory: Path, files: Mapping[str, bytes], options: Sequence[str]) -> dict[str, bytes]:
    given, made = directory / "given", directory / "made"
    given.mkdir(parents=True)
    for name, body in files.items():
        (given / name).write_bytes(body)
    command = [
        find_program(),
        f"-env:UserInstallation={(directory / 'profile').as_uri()}",
        *("--headless", *options, "--convert-to", "xlsx", "--outdir", str(made)),
        *(str(given / name) for name in files),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    return {name: (made / name).with_suffix(".xlsx").read_bytes() for name in files}
