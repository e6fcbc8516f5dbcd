"""The structure tree of a PDF, which tells a screen reader what each piece of text is and in which order to read it.

fpdf2 can make a flat tree of figures. This one nests, and is put in its place (`FPDF.struct_builder`). It is written
against classes that fpdf2 calls internal, so the version is pinned, and the tests read the tree back.
"""

from collections.abc import Iterator
from typing import Final

from fpdf.output import PDFPage
from fpdf.structure_tree import StructureTreeBuilder
from fpdf.syntax import PDFArray, PDFObject, PDFString


_SCOPES: Final = {"Column": "/A <</O /Table /Scope /Column>>", "": ""}


class Element(PDFObject):
    """A node: H1, P, Table, TR, TD and so on (ISO 32000-1, 14.8.4).

    `said` is the text as it is to be read out, where it is not the text that is printed.
    """

    def __init__(self, kind: str, parent: PDFObject, *, scope: str = "", said: str | None = None) -> None:
        super().__init__()
        self.kind = kind
        self._parent = parent
        self._attributes = _SCOPES[scope]
        self._said = said
        self._kids: list[Element] = []
        self._content: list[tuple[PDFPage, int]] = []

    def hold(self, kid: "Element") -> None:
        self._kids.append(kid)

    def show(self, page: PDFPage, number: int) -> None:
        """Marked content of a page belongs to this element."""
        self._content.append((page, number))

    def serialize(self, _obj_dict: object = None, _security_handler: object = None) -> str:
        """Written out by hand: a statement of thousands of people has ten times as many elements."""
        parts = [f"{self.id} 0 obj\n<</S /{self.kind} /P {self._parent.ref}", self._attributes]
        if self._said is not None:
            parts.append(f"/ActualText {PDFString(self._said).serialize()}")
        if len(self._content) == 1:
            page, number = self._content[0]
            parts.append(f"/Pg {page.ref} /K {number}")
        else:
            shown = [f"<</Type /MCR /Pg {page.ref} /MCID {number}>>" for page, number in self._content]
            parts.append(f"/K [{' '.join([*shown, *(kid.ref for kid in self._kids)])}]")
        return f"{' '.join(part for part in parts if part)}>>\nendobj"


class Tags(StructureTreeBuilder):
    """The tree of one document; its root is `document`."""

    def __init__(self) -> None:
        super().__init__()
        self.document: Final = Element("Document", self.struct_tree_root)
        self.struct_tree_root.k = PDFArray([self.document])
        self._elements = [self.document]

    def element(self, kind: str, parent: Element, *, scope: str = "", said: str | None = None) -> Element:
        """A new node, after those that its parent has."""
        made = Element(kind, parent, scope=scope, said=said)
        parent.hold(made)
        self._elements.append(made)
        return made

    def mark(self, element: Element, page: PDFPage) -> int:
        """The number that the element's next content has on the page."""
        key = page.index() - 1
        page.struct_parents = key
        of_page = self.struct_tree_root.parent_tree.nums[key]
        element.show(page, len(of_page))
        of_page.append(element)
        return len(of_page) - 1

    def empty(self) -> bool:
        return False

    def __iter__(self) -> Iterator[PDFObject]:
        yield self.struct_tree_root
        yield self.struct_tree_root.parent_tree
        yield from self._elements
