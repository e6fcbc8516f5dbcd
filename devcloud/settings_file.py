"""Reads `local.settings.json`, or the committed sample when there is none, into the environment."""

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path


OWN = "local.settings.json"
NAMES = (OWN, "local.settings.sample.json")
NOTHING: Mapping[str, str] = {}


class SettingsFileError(Exception):
    """The settings file cannot be used; the message has the reason."""


def load(
    app_dir: Path, environment: MutableMapping[str, str], *, above_sample: Mapping[str, str] = NOTHING
) -> Path | None:
    """Adds the file's `Values` to the environment; a variable that is already set wins.

    `above_sample` holds defaults that win over the committed sample, but not over the user's own file.

    Raises:
        SettingsFileError: Azure's tools could not read the file.
    """
    path = next((app_dir / name for name in NAMES if (app_dir / name).is_file()), None)
    values = _values(path) if path else {}
    values = {**above_sample, **values} if path and path.name == OWN else {**values, **above_sample}
    for name, value in values.items():
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
