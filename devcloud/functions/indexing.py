"""Why an app cannot be indexed, in one line: the function or the place, and the reason."""

import contextlib
import re
import sys
import typing
from pathlib import Path
from typing import Any

import azure.functions as func


class IndexingError(Exception):
    """The app cannot be indexed; one line that names the function, or the place, and the reason."""


def reason(failure: Any, app_dir: Path) -> str:  # noqa: ANN401 - the library is untyped
    """The worker library's exception as a line for the person who made the mistake."""
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
    """The library tells an annotation it cannot resolve without saying whose it is."""
    for app in list(vars(sys.modules.get("function_app", sys)).values()):
        if isinstance(app, func.FunctionRegister):
            app.functions_bindings = None  # or every name would count as used
            with contextlib.suppress(ValueError):  # the app has another fault, and the library told it
                return next(filter(None, map(_unreadable, app.get_functions())), None)
    return None


def _unreadable(function: Any) -> str | None:  # noqa: ANN401 - the library is untyped
    try:
        typing.get_type_hints(function.get_user_function())
    except Exception:  # noqa: BLE001 - whatever the annotation raises
        return str(function.get_function_name())
    return None
