"""The pages of the local cloud: one style, plain HTML without scripts or other files."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final


STYLE: Final = """
:root { color-scheme: light dark; --line: #8a8a8a; --soft: #f3f2f1; --text: #1b1a19; --quiet: #55534f; --go: #005a9e;
  --page: #ffffff }
@media (prefers-color-scheme: dark) {
  :root { --line: #8a8886; --soft: #2b2a29; --text: #f3f2f1; --quiet: #c8c6c4; --go: #6cb8f6; --page: #1b1a19 }
}
* { box-sizing: border-box }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page) }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1.25rem }
main.narrow { max-width: 26rem; margin-top: 8vh }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 1.5rem 0 .25rem }
p { margin: 0 0 1rem } .quiet { color: var(--quiet) }
a { color: var(--go) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.number, th.number { text-align: right }
section { border-top: 1px solid var(--line); padding: 1rem 0 } section h2 { margin-top: 0 }
form.row { display: inline-flex; flex-wrap: wrap; gap: .5rem .75rem; margin: .25rem 1rem .25rem 0; align-items: end;
  vertical-align: bottom; max-width: 100% }
label { display: grid; grid-template-columns: minmax(0, 1fr); font-size: .875rem; min-width: 0; max-width: 100% }
select, input { min-width: 0; max-width: 100%; padding: .35rem .6rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--line); border-radius: 6px }
button { padding: .35rem .75rem; font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line);
  border-radius: 6px; cursor: pointer }
button:hover { border-color: var(--go) }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px }
ul.choices { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem }
ul.choices button { width: 100%; padding: .7rem 1rem; text-align: left }
ul.choices span { display: block; font-size: .875rem; color: var(--quiet) }
"""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}
CONTENT_TYPE: Final = "text/html; charset=utf-8"


def html_page(title: str, content: str, *, is_narrow: bool = False) -> str:
    """`content` is HTML, the title plain text."""
    narrow = ' class="narrow"' if is_narrow else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main{narrow}>\n<h1>{escape(title)}</h1>\n{content}\n</main>\n"
        "</body>\n</html>\n"
    )


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The cells are HTML; on a narrow screen the table scrolls by itself."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0">{table}</div>'
