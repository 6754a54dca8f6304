"""Read a page's HTML, and check that its elements are balanced."""

from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "hr", "input"}


class HtmlReader(HTMLParser):
    """The elements, ids, links and visible text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.elements if "id" in attrs]

    @property
    def link_targets(self) -> list[str]:
        return [
            attrs["href"][1:] for _, attrs in self.elements if attrs.get("href", "").startswith("#")
        ]


def read_html(html: str) -> HtmlReader:
    """The page; AssertionError unless every element is closed in order."""
    reader = HtmlReader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader
