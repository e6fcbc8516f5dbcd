"""Renders the templates. Jinja escapes every value, and a value that is missing is an error.

Only `document` imports this module, and only when a page is shown, so no other function loads Jinja.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


FOLDER: Final = Path(__file__).parents[1] / "templates"
STYLE: Final = (FOLDER / "style.css").read_text(encoding="utf-8")
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_LINKS: Final = {
    name: Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, name)
    for name, address in (
        ("Azure portal", "https://portal.azure.com/"),
        ("Microsoft 365 admin center", "https://admin.microsoft.com/"),
    )
}
_LINKED_NAME: Final = re.compile(f"({'|'.join(_LINKS)})")


def render(template: str, values: Mapping[str, object]) -> str:
    """The HTML of a page. `template` is the name of a file without its suffix."""
    return _ENVIRONMENT.get_template(f"{template}.html").render(values)


def with_links(text: str) -> Markup:
    """The text with a link at each name of a Microsoft portal."""
    return Markup().join(_LINKS.get(part, part) for part in _LINKED_NAME.split(text))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["with_links"] = with_links
    environment.globals |= {
        "product": "TimeTracker for Azure DevOps",
        "style": Markup(STYLE),  # noqa: S704 - a file of ours
        "azure_portal": _LINKS["Azure portal"],
    }
    environment.globals["parts"] = environment.get_template("parts.html").module
    return environment


_ENVIRONMENT: Final = _environment()
