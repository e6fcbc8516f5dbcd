"""Files, folders, modules and headings that the pages name are there."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.support.cases import check_all


ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
]
TOPS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
PACKAGES = {name for name in TOPS if (ROOT / name / "__init__.py").exists()}
FILES = {path.name for top in TOPS for path in (ROOT / top).rglob("*.py")}


def names_in_code(page: Path) -> Iterator[str]:
    """The words between backticks that are a path, a module or a file's name."""
    for text in re.findall(r"`([^`\n]+)`", page.read_text()):
        for word in re.findall(r"[^\s(),;:…]+", text):
            is_path = "/" in word and word.partition("/")[0] in TOPS
            is_module = "/" not in word and "." in word and word.partition(".")[0] in PACKAGES
            if is_path or is_module or re.fullmatch(r"[\w*]+\.py", word):
                yield word


def is_there(word: str) -> bool:
    if "/" in word:
        return any(ROOT.glob(word.partition("[")[0].rstrip("/")))
    if word.endswith(".py"):
        return any(fnmatch(name, word) for name in FILES) or (ROOT / word).exists()
    *folders, name = word.split(".")
    place = ROOT.joinpath(*folders)
    if (place / name).is_dir() or (place / f"{name}.py").exists():
        return True
    modules = [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()]
    return any(re.search(rf"^(?:def |class )?{name}\b", path.read_text(), flags=re.MULTILINE) for path in modules)


def test_a_path_that_a_page_names_is_there():
    def holds(_: str, word: str) -> None:
        assert is_there(word)

    check_all(holds, ((page.name, word) for page in PAGES for word in names_in_code(page)), at_least=100)


def test_a_link_of_a_page_leads_to_a_file():
    def holds(page: Path, target: str) -> None:
        assert (page.parent / target).exists()

    links = ((page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()))
    check_all(holds, links, at_least=150)


def anchors(page: Path) -> set[str]:
    """The places of a page that a link can lead to, as GitHub names its headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = (re.sub(r"[`*]", "", each).lower() for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    names = {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}
    return names | set(re.findall(r'<a id="([^"]+)"', text))


def test_a_link_to_a_place_in_a_page_leads_there():
    def holds(page: Path, target: str, place: str) -> None:
        assert place in anchors(page.parent / target if target else page)

    found = re.compile(r"\]\(((?:[\w./-]+\.md)?)#([^)]+)\)")
    check_all(holds, ((page, *link) for page in PAGES for link in found.findall(page.read_text())), at_least=40)


def test_a_path_that_is_gone_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "In `timers/nowhere.py`, `shared.jobs.nobody`, `nothing_at_all.py`, `shared.jobs.for_each_tenant`, not `a/b`."
    )

    assert [(word, is_there(word)) for word in names_in_code(page)] == [
        ("timers/nowhere.py", False),
        ("shared.jobs.nobody", False),
        ("nothing_at_all.py", False),
        ("shared.jobs.for_each_tenant", True),
    ]
