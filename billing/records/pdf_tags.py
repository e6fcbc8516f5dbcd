"""The structure tree of a PDF: kind and reading order of each text, for screen readers.

fpdf2 only has a flat tree of figures. This one is nested and replaces it (`FPDF.struct_builder`). It uses internal
classes of fpdf2, so the version is pinned, and tests read the tree back.
"""

from collections.abc import Iterator
from typing import Final

from fpdf.output import PDFPage
from fpdf.structure_tree import StructureTreeBuilder
from fpdf.syntax import PDFArray, PDFObject, PDFString


_SCOPES: Final = {"Column": "/A <</O /Table /Scope /Column>>", "": ""}


class Element(PDFObject):
    """A node, such as H1, P, Table, TR or TD (ISO 32000-1, 14.8.4).

    `actual_text` is the text for screen readers, if it differs from the printed text.
    """

    def __init__(self, kind: str, parent: PDFObject, *, scope: str = "", actual_text: str | None = None) -> None:
        super().__init__()
        self.kind = kind
        self._parent = parent
        self._attributes = _SCOPES[scope]
        self._actual_text = actual_text
        self._children: list[Element] = []
        self._content: list[tuple[PDFPage, int]] = []

    def add_child(self, child: "Element") -> None:
        self._children.append(child)

    def add_content(self, page: PDFPage, number: int) -> None:
        """Adds marked content of a page."""
        self._content.append((page, number))

    def serialize(self, _obj_dict: object = None, _security_handler: object = None) -> str:
        """Written by hand for speed: a statement of thousands of people has ten times as many elements."""
        parts = [f"{self.id} 0 obj\n<</S /{self.kind} /P {self._parent.ref}", self._attributes]
        if self._actual_text is not None:
            parts.append(f"/ActualText {PDFString(self._actual_text).serialize()}")
        if len(self._content) == 1:
            page, number = self._content[0]
            parts.append(f"/Pg {page.ref} /K {number}")
        else:
            content = [f"<</Type /MCR /Pg {page.ref} /MCID {number}>>" for page, number in self._content]
            parts.append(f"/K [{' '.join([*content, *(child.ref for child in self._children)])}]")
        return f"{' '.join(part for part in parts if part)}>>\nendobj"


class StructureTree(StructureTreeBuilder):
    """The tree of one document; its root is `document`."""

    def __init__(self) -> None:
        super().__init__()
        self.document: Final = Element("Document", self.struct_tree_root)
        self.struct_tree_root.k = PDFArray([self.document])
        self._elements = [self.document]

    def add_element(self, kind: str, parent: Element, *, scope: str = "", actual_text: str | None = None) -> Element:
        """A new last child of its parent."""
        element = Element(kind, parent, scope=scope, actual_text=actual_text)
        parent.add_child(element)
        self._elements.append(element)
        return element

    def mark(self, element: Element, page: PDFPage) -> int:
        """The number of the element's next content on the page."""
        key = page.index() - 1
        page.struct_parents = key
        of_page = self.struct_tree_root.parent_tree.nums[key]
        element.add_content(page, len(of_page))
        of_page.append(element)
        return len(of_page) - 1

    def empty(self) -> bool:
        return False

    def __iter__(self) -> Iterator[PDFObject]:
        yield self.struct_tree_root
        yield self.struct_tree_root.parent_tree
        yield from self._elements
