"""Errors of an app in one line: the function or place, and the reason."""

import contextlib
import re
import sys
import typing
from pathlib import Path
from typing import Any

import azure.functions as func


class IndexingError(Exception):
    """The app cannot be indexed; one line with function or place, and reason."""


def format_failure(failure: Any, app_dir: Path) -> str:  # noqa: ANN401 - the library is untyped
    """The worker library's exception in one line for the developer."""
    message = str(failure.message).split(". Cannot find module.")[0]
    line = re.sub(r"\s+", " ", message.removeprefix("FunctionLoadError: ")).strip()
    if ", line " in line or line.startswith("cannot load the "):
        return line
    places = re.findall(rf'File "{re.escape(str(app_dir))}/([^"]+)", line (\d+)', failure.stack_trace)
    if places:
        return f"{line} ({places[-1][0]}, line {places[-1][1]})"
    unreadable = _function_with_unreadable_annotations()
    return f"cannot load the {unreadable} function: {line}" if unreadable else line


def _function_with_unreadable_annotations() -> str | None:
    """The library does not name the function of an unresolved annotation."""
    for app in list(vars(sys.modules.get("function_app", sys)).values()):
        if isinstance(app, func.FunctionRegister):
            app.functions_bindings = None  # otherwise every name counts as used
            with contextlib.suppress(ValueError):  # another error of the app, reported by the library
                return next(filter(None, map(_find_unreadable, app.get_functions())), None)
    return None


def _find_unreadable(function: Any) -> str | None:  # noqa: ANN401 - the library is untyped
    try:
        typing.get_type_hints(function.get_user_function())
    except Exception:  # noqa: BLE001 - any error of the annotation
        return str(function.get_function_name())
    return None
