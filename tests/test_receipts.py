"""Every figure of the README has a receipt, and the receipts agree with the results."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README, RECEIPTS, RESULTS = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/receipts.md", "docs/results.md")
)
UNITS = r"(?:mg|%|kB|MB|GB|seconds|minutes|hours|real|patients|decisions|hospitals|folds|times)"
FIGURE = re.compile(rf"\b\d+\.\d+\b|\b\d{{1,3}}(?:,\d{{3}})+\b|\b\d+(?= ?{UNITS})")


def prose(page: str) -> str:
    """A page without its code, its addresses and the version of Python."""
    page = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", page)
    return re.sub(r"Python \d\.\d+|Apache-2\.0", "", page)


def figures(page: str) -> list[str]:
    """Numbers with decimals, with thousands, or with a unit."""
    return FIGURE.findall(prose(page))


def test_every_figure_of_the_readme_has_a_receipt() -> None:
    found = figures(README)
    assert len(found) > 25
    known = set(figures(RECEIPTS))
    assert [figure for figure in found if figure not in known] == []


def test_figures_in_code_blocks_count_too() -> None:
    counts = re.findall(r"[\d,]{5,}(?= real patients)", README)
    assert counts
    assert all(count in RECEIPTS for count in counts)


def row(page: str, name: str) -> list[str]:
    """The numbers of the first row of a table whose first cell is this name."""
    cells = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    found = next(cell for cell in cells if cell[1].strip(" *¹²") == name)
    return re.findall(r"\d+\.\d+", "|".join(found[2:]))


def test_the_table_of_results_is_that_of_the_results_page() -> None:
    """MAE, accuracy, AUC, and MAE at held-out hospitals, as docs/results.md has them."""
    renamed = {
        "gradient boosting with the refitted formula": (
            "gradient boosting with the refitted formula as an input"
        ),
        "IWPC formula, published": "IWPC pharmacogenetic formula, published",
        "its network alone": "posology's network alone",
    }
    rows = ("posology", *renamed, "LightGBM, tuned", "random forest", "the paper's recipe")
    for name in rows:
        mae, _, accuracy, _, auc, _, held_out, *_ = row(RESULTS, renamed.get(name, name))
        assert row(README, name) == [mae, accuracy, auc, held_out], name
        assert f"{mae}, {accuracy}, {auc}; {held_out}" in RECEIPTS, name
