"""The statement for screen readers: its language, its structure tree, and its tagged and untagged content."""

import io
import re
import shutil
import subprocess

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.closing.model import State
from billing.records.store import ClosedBill
from tests.billing.records.test_statement import NOVEMBER, PERIOD, line, record, seats, statement
from tests.support.budget import tries


pytestmark = pytest.mark.http_only
LEAVES = {"P", "H1", "H2", "Lbl", "LBody", "TH", "TD"}
by_poppler = pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="needs poppler-utils")


def reader(bills, tenant="Contoso"):
    return pypdf.PdfReader(io.BytesIO(statement(tenant, NOVEMBER, bills)), strict=True)


def long_bill(people=60):
    lines = tuple(line(f"Somebody {number}", f"p{number}@contoso.example") for number in range(people))
    return ClosedBill(record(quantity=25), lines, (seats(25, PERIOD.starts_at, PERIOD.ends_at),))


def kids(element):
    found = element.get("/K", [])
    return list(found) if isinstance(found, list) else [found]


def elements(element):
    """An element and all below it, in the order of reading."""
    yield element
    for kid in kids(element):
        resolved = kid.get_object()
        if isinstance(resolved, dict) and "/S" in resolved:
            assert resolved["/P"] == element, "a kid names its parent"
            yield from elements(resolved)


def content(element):
    """The (page, number) of the marked content that an element has itself."""
    for kid in kids(element):
        resolved = kid.get_object()
        if isinstance(resolved, int):
            yield element.raw_get("/Pg").idnum, int(resolved)
        elif resolved.get("/Type") == "/MCR":
            yield resolved.raw_get("/Pg").idnum, int(resolved["/MCID"])


def painted_content(page):
    """The marked content of a page: a number for tagged text or None for an artifact, with the drawing operators."""
    stream = pypdf.generic.ContentStream(page["/Contents"].get_object(), page.pdf)
    inside, found = None, []
    for operands, operator in stream.operations:
        if operator in {b"BDC", b"BMC"}:
            assert inside is None, "marked content does not nest"
            inside = (int(operands[1]["/MCID"]) if operator == b"BDC" else None, [])
            assert operator == b"BDC" or operands[0] == "/Artifact"
        elif operator == b"EMC":
            found.append(inside)
            inside = None
        elif operator in {b"Tj", b"TJ", b"S", b"f", b"B"}:
            assert inside is not None, "nothing is painted that is neither tagged nor an artifact"
            inside[1].append(operator)
    assert inside is None
    return found


def check(document):
    """Every text belongs to one leaf of the tree, and every leaf to a text of a page."""
    root = document.trailer["/Root"]["/StructTreeRoot"]
    tree = list(elements(kids(root)[0].get_object()))
    owned = {place: element for element in tree for place in content(element)}
    nums = root["/ParentTree"]["/Nums"]
    parents = {nums[at]: nums[at + 1] for at in range(0, len(nums), 2)}
    for page in document.pages:
        found = painted_content(page)
        numbers = [number for number, _ in found if number is not None]
        assert numbers == list(range(len(numbers)))
        mine = parents[page["/StructParents"]]
        assert len(mine) == len(numbers)
        for number, operators in found:
            if number is None:
                continue
            assert operators == [b"Tj"]
            element = owned.pop((page.indirect_reference.idnum, number))
            assert mine[number].get_object() == element
            assert element["/S"][1:] in LEAVES
    assert owned == {}
    return tree


def test_a_statement_is_tagged_and_has_a_language_title_and_author():
    document = reader([long_bill()])
    root = document.trailer["/Root"]

    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"] is True or root["/MarkInfo"]["/Marked"].value is True
    assert str(root["/ViewerPreferences"]["/DisplayDocTitle"]).lower() == "true"
    assert document.metadata.title == "Usage statement · Contoso · November 2026"
    assert document.metadata.author == "Example Software GmbH"


def test_a_table_of_several_pages_has_one_header_in_the_tree():
    document = reader([long_bill(people=200)])
    tree = check(document)
    kinds = [element["/S"] for element in tree]

    assert len(document.pages) > 4
    assert kinds[:3] == ["/Document", "/P", "/H1"]
    assert (kinds.count("/Table"), kinds.count("/THead"), kinds.count("/TH")) == (2, 2, 5 + 6)
    assert kinds.count("/TR") == 2 + 1 + 200
    assert kinds.count("/TD") == 5 + 6 * 200
    assert all(element["/A"]["/Scope"] == "/Column" for element in tree if element["/S"] == "/TH")


def test_a_repeated_header_is_not_read_out_again():
    pages = reader([long_bill(people=200)]).pages

    assert "Active through" in pages[2].extract_text()
    assert any(number is None and b"Tj" in operators for number, operators in painted_content(pages[2])[:3])


@pytest.mark.parametrize(
    ("name", "said"), [("王小明", "王小明"), ("משה", "משה"), ("Ben\u202eevil", None), ("Ada", None)]
)
def test_a_name_printed_differently_is_read_out_unchanged(name, said):
    tree = check(reader([ClosedBill(record(), (line(name),))]))

    assert [element["/ActualText"] for element in tree if "/ActualText" in element] == ([] if said is None else [said])


@settings(max_examples=tries(4))
@given(
    st.lists(st.text(max_size=120), max_size=12),
    st.text(max_size=200),
    st.text(max_size=500),
    st.sampled_from(State),
)
def test_with_any_name_each_text_is_in_the_tree_once(names, tenant, reason, state):
    bills = [
        ClosedBill(record(state=state, void_reason=reason), tuple(line(name, name) for name in names)),
        long_bill(3),
    ]

    check(reader(bills, tenant))


def poppler(*command):
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout


@by_poppler
def test_poppler_reads_the_tree_in_page_order(tmp_path):
    path = tmp_path / "statement.pdf"
    path.write_bytes(statement("Contoso", 202611, [long_bill()]))

    about = poppler("pdfinfo", path)
    tree = poppler("pdfinfo", "-struct-text", path)
    text = poppler("pdftotext", path, "-")
    read = re.findall(r'"(.*)"', tree)

    assert re.search(r"^Tagged: +yes$", about, flags=re.MULTILINE)
    assert read[:4] == ["TimeTracker for Azure DevOps", "Usage statement", "November 2026", "Issued by"]
    assert [each for each in read if each.startswith("Somebody")] == [f"Somebody {number}" for number in range(60)]
    assert read.count("Active through") == 1
    assert text.count("Active through") > 1
    assert set(" ".join(read).split()) <= set(text.split())
