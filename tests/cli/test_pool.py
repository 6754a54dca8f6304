"""`posology pool`: tables, rows, page, and files that are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.domain.serialization import serialize
from posology.domain.statistics.study_summary import LEARNED, StudySummary
from posology.errors import UserError
from tests.builders.summaries import alike, apart

RUN = CliRunner()


def _write(folder: Path, made: dict) -> list[str]:
    for name, summary in made.items():
        (folder / f"{name}.json").write_text(json.dumps(serialize(summary, {})))
    return [str(folder / f"{name}.json") for name in made]


def test_hospitals_are_pooled_into_a_table_rows_and_a_page(tmp_path) -> None:
    files, page, rows = _write(tmp_path, alike()), tmp_path / "p.html", tmp_path / "rows.json"
    done = RUN.invoke(app, ["pool", *files, "--report", str(page), "--json", str(rows)])
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "Two doses: 3 hospitals, 870 patients." in text
    assert "On average over 3 hospitals medium dose is better than low dose." in text
    assert text.count("No difference between the hospitals is shown") == 1
    assert "stable dose (percentage points)" in text
    assert "bleeding (percentage points, lower is better)" in text
    assert "(2 of 3 hospitals)" in text
    assert "south: few" not in text, "held back: in the page and the rows"
    assert len(done.output.splitlines()) < 45
    assert max(len(line) for line in done.output.splitlines()) <= 80
    found = {
        (row["model"], row["split"], row["outcome"], row["metric"]): row
        for row in json.loads(rows.read_text())["rows"]
    }
    pooled = found["medium", "pooled", "stable dose", "effect_against_low"]
    assert pooled["low"] < 0.1 < pooled["high"]
    assert (pooled["kind"], pooled["n"]) == ("alike", 3)
    assert found["high", "south", "bleeding", "effect_against_low"]["reason"] == "few"
    assert found["medium", "pooled", "stable dose", "effect_against_low prediction"]["low"] < 0.05
    html = page.read_text()
    assert html.count("<h3>") == 6
    assert "Not in it: south: few." in html
    assert "<script" not in html
    assert ".plot { grid-column: 1 / -1; width: 100%; min-width: 0;" in html, "fits 390 px"


def test_pairs_of_options_and_groups_are_folded_unless_they_differ(tmp_path) -> None:
    files = _write(tmp_path, {name: _with_group(summary) for name, summary in alike().items()})
    folded, whole = (
        " ".join(RUN.invoke(app, ["pool", *files, *more]).stdout.split())
        for more in ((), ("--all",))
    )
    rows = whole.count(" against ") - folded.count(" against ")
    assert f"{rows} more, of pairs of options and of groups, do not differ" in folded
    assert "do not differ: --all" not in whole
    assert "dose, sex: female" not in folded
    assert "dose, sex: female" in whole
    assert "high dose against" in folded
    assert "medium dose (2 of" not in folded


def _with_group(summary: StudySummary) -> StudySummary:
    """With the main outcome once more, in a group."""
    group = replace(summary.outcomes[0], family="sex", group="female")
    return replace(summary, outcomes=(*summary.outcomes, group))


def test_heterogeneous_hospitals_are_called_so(tmp_path) -> None:
    done = RUN.invoke(app, ["pool", *_write(tmp_path, apart())])
    text = " ".join(done.stdout.split())
    assert text.count("Heterogeneous: the effect differs") == 1
    assert "99 %, < 0.001*" in text


def test_a_rule_has_a_row_under_each_outcome_with_its_unit(tmp_path) -> None:
    """Its benefit and its harm can be told apart."""
    made = {name: _with_rule(summary) for name, summary in alike().items()}
    lines = RUN.invoke(app, ["pool", *_write(tmp_path, made)]).stdout.splitlines()
    under, outcome = [], ""
    for line in lines:
        found = next((n for n in ("stable dose", "bleeding") if line.strip().startswith(n)), "")
        outcome = found or outcome
        if "own rule against low" in line:
            under.append(outcome)
    assert under == ["stable dose", "bleeding"]


def _with_rule(summary: StudySummary) -> StudySummary:
    """With `medium` as a learned rule."""
    outcomes = []
    for outcome in summary.outcomes:
        values = tuple(
            replace(v, name="rule", kind=LEARNED, title="own rule") if v.name == "medium" else v
            for v in outcome.values
        )
        effects = tuple(
            replace(e, name="rule", kind=LEARNED) if e.name == "medium" else e
            for e in outcome.effects
        )
        outcomes.append(replace(outcome, values=values, effects=effects))
    return replace(summary, outcomes=tuple(outcomes))


def _changed(text: str) -> str:
    body = json.loads(text)
    body["study"]["protocol"][0][1] = '"other"'
    return json.dumps(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "no json", "north.json: is no JSON; a summary is the file that"),
        (lambda text: text.replace('"format": 1', '"format": 9'), "has format 9, and posology"),
        (lambda text: text.replace('"analysed"', '"other"'), "StudySummary has the fields"),
        (lambda t: t.replace("0.505", "0.7"), "north.json: outcome stable dose, medium: value 0.7"),
        (_changed, "its protocol does not match its hash: it was changed"),
    ],
)
def test_a_file_that_is_no_summary_is_refused(tmp_path, change, message) -> None:
    files = _write(tmp_path, alike())
    path = Path(files[0])
    path.write_text(change(path.read_text()))
    done = RUN.invoke(app, ["pool", *files])
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)


def test_two_files_of_one_name_are_refused(tmp_path) -> None:
    (tmp_path / "again").mkdir()
    files = _write(tmp_path, alike()) + _write(tmp_path / "again", alike())[:1]
    done = RUN.invoke(app, ["pool", *files])
    assert "two files are called north" in str(done.exception)
