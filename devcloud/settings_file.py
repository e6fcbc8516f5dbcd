"""Reads `local.settings.json`, or the committed sample when there is none, into the environment."""

import json
from collections.abc import MutableMapping
from pathlib import Path


NAMES = ("local.settings.json", "local.settings.sample.json")


class SettingsFileError(Exception):
    """The settings file cannot be used; one line says why."""


def load(app_dir: Path, environment: MutableMapping[str, str]) -> Path | None:
    """Adds the file's `Values` to the environment; a variable that is already set wins.

    Raises:
        SettingsFileError: the file is not what Azure's tools would read.
    """
    path = next((app_dir / name for name in NAMES if (app_dir / name).is_file()), None)
    if path is None:
        return None
    for name, value in _values(path).items():
        environment.setdefault(name, value)
    return path


def _values(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise SettingsFileError(
            f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsFileError(f"cannot read {path}: {error}") from error
    values = content.get("Values", {}) if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise SettingsFileError(f'{path} has no object "Values"')
    for name, value in values.items():
        if not isinstance(value, str | int | float | bool):
            raise SettingsFileError(f"{path}: the value of {name} is not a text")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
