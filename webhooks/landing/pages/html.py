"""Builds HTML out of elements, so that text cannot become markup: what is not built here is escaped."""

from html import escape
from typing import Final, TypeAlias


_VOID: Final = {"input", "link", "meta"}


class Html(str):
    """Markup that is safe to send, since only `element` and `joined` make it."""

    __slots__ = ()


Content: TypeAlias = "Html | str | None"


def element(tag: str, *content: Content, **attributes: str | bool | None) -> Html:
    """One element. `class_` and `for_` are the attributes of that name, `aria_label` is aria-label.

    An attribute that is True stands without a value; one that is None or False, and content that is None, is left out.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{joined(*content)}</{tag}>")


def joined(*content: Content) -> Html:
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in content if each is not None))


def _attribute(name: str, value: str | bool | None) -> str:  # noqa: FBT001 - an attribute is there or not
    if value is None or value is False:
        return ""
    spelled = name.rstrip("_").replace("_", "-")
    return f" {spelled}" if value is True else f' {spelled}="{escape(value)}"'
