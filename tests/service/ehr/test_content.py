"""A card's detail in Markdown as blocks, and links that are web addresses only."""

import pytest

from posology.service.ehr.content import Block, blocks_of, card_content

DETAIL = """**Options**

| Option | Of 100 |
| --- | ---: |
| **Low**, 16 mg | 58 |

- one
- two \\* three
Of 100 **21 more**.
## Sure
"""


def test_a_detail_becomes_headings_tables_lists_and_paragraphs() -> None:
    assert list(blocks_of(DETAIL)) == [
        Block("heading", (("Options",),)),
        Block("table", (("Option", "Of 100"), ("Low, 16 mg", "58"))),
        Block("list", (("one",), ("two * three",))),
        Block("paragraph", (("Of 100 21 more.",),)),
        Block("heading", (("Sure",),)),
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", None, 7])
def test_only_web_addresses_become_links(url: object) -> None:
    card = {"source": {"label": "x", "url": url}, "links": [{"label": "y", "url": url}]}
    content = card_content(card)
    assert (content.source_url, content.links) == ("", ())
