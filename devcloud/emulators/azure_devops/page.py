"""The start page, and a page of each organization with its present work items, in plain HTML without scripts."""

from html import escape

from werkzeug.wrappers import Response

from devcloud.emulators.azure_devops.board import Board, Document
from devcloud.emulators.azure_devops.fields import COMPLETED, REMAINING
from devcloud.emulators.azure_devops.items import ORGANIZATIONS
from devcloud.html_page import CONTENT_TYPE, HEADERS, html_page, html_table


_COLUMNS = ("Project", "Number", "Type", "Title", "State", "Completed Work", "Remaining Work")


def start_page() -> Response:
    """The organizations, with links to their work items."""
    links = "\n".join(f'<li><a href="/{name}">{name}</a> ({of.name})</li>' for name, of in ORGANIZATIONS.items())
    return _page(
        "Azure DevOps emulator",
        "<p>The local replacement of Azure DevOps: work items with their hours, in memory, as new after each start.</p>"
        f"\n<h2>Organizations</h2>\n<ul>\n{links}\n</ul>\n"
        "<p>A token for its API: <code>.venv/bin/python -m devcloud azure-devops-token ada</code></p>",
    )


def organization_page(name: str, board: Board) -> Response:
    """The work items with their hours: reload it to see what a write-back changed."""
    rows = [_cells(item) for item in board.all()]
    content = html_table("Work items", _COLUMNS, rows) if rows else "<p>This organization has no work items.</p>"
    return _page(
        f"Work items of {name}",
        f'<p class="quiet">Azure DevOps emulator. The extension would show its timer here; until then use the API. '
        f'Hours that TimeTracker writes appear in Completed Work. <a href="/">All organizations</a></p>\n{content}',
    )


def _cells(item: Document) -> list[str]:
    fields = item["fields"]
    names = ("System.TeamProject", "System.WorkItemType", "System.Title", "System.State", COMPLETED, REMAINING)
    project, kind, title, state, completed, remaining = (escape(str(fields.get(name, ""))) for name in names)
    return [project, str(item["id"]), kind, title, state, completed, remaining]


def _page(title: str, content: str) -> Response:
    return Response(html_page(title, content), 200, HEADERS, content_type=CONTENT_TYPE)
