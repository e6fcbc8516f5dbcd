"""The command line of the small tools: `python -m tools COMMAND`."""

from pathlib import Path
from typing import Annotated

import typer


DOCS = Path("docs")

app = typer.Typer(
    help="Document generators, and the cost of a cold start.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("api-docs")
def api_docs() -> None:
    """Generate docs/api.md from the contract."""
    import function_app  # noqa: PLC0415 - importing the app registers the operations
    from shared.http.openapi import document  # noqa: PLC0415 - commands load only what they need
    from shared.http.operation import OPERATIONS  # noqa: PLC0415 - likewise
    from tools.docs import api  # noqa: PLC0415 - likewise

    assert function_app.app  # noqa: S101 - marks the import as used
    (DOCS / "api.md").write_text(api.render(document(), OPERATIONS), encoding="utf-8")


@app.command("privacy-docs")
def privacy_docs() -> None:
    """Generate the tables of docs/privacy.md and the schema of an export."""
    import function_app  # noqa: PLC0415 - importing the app registers the operations
    from tools.docs.privacy import export_schema, page  # noqa: PLC0415 - commands load only what they need

    assert function_app.app  # noqa: S101 - marks the import as used
    privacy = DOCS / "privacy.md"
    privacy.write_text(page.fill(privacy.read_text(encoding="utf-8")), encoding="utf-8")
    try:
        export_schema.publish(DOCS)
    except export_schema.AlreadyPublished as error:
        typer.echo(f"privacy-docs: {error}", err=True)
        raise typer.Exit(1) from None


@app.command("cold-start")
def cold_start(
    runs: Annotated[int, typer.Option(metavar="N", help="number of starts; the fastest counts", min=1, max=20)] = 3,
    most: Annotated[int, typer.Option(metavar="N", help="number of modules to list", min=1)] = 30,
) -> None:
    """Measure the import time of the app per module; exit code 1 if it is over the budget of a cold start."""
    from tools import cold_start as cold_start_tool  # noqa: PLC0415 - commands load only what they need

    start = cold_start_tool.measure(runs)
    typer.echo(cold_start_tool.report(start, max_modules=most))
    if not start.is_within_budget:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
