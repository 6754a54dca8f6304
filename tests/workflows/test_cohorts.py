"""Events and a study become a cohort, in memory or in a folder."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from posology.cohorts.study.reader import read_study
from posology.errors import UserError
from posology.workflows.cohorts import CohortFlow, _arm_table, build_cohort, read_cohort
from tests.builders import synthetic_iwpc


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.parquet"
    pq.write_table(synthetic_iwpc.events(80), path)
    return path


def test_a_table_a_file_and_a_folder_give_the_same_cohort(events: Path, tmp_path: Path) -> None:
    from_table = read_cohort(read_study("iwpc"), synthetic_iwpc.events(80))
    from_file = read_cohort("iwpc", events)
    flow = build_cohort("iwpc", events, tmp_path / "cohort")
    assert "from records to decisions" in flow.summary()
    assert " -0 " not in flow.summary()
    for other in (from_file, flow.load(), read_cohort(tmp_path / "cohort")):
        assert other.profile.codes == from_table.profile.codes
        assert other.history.code.tolist() == from_table.history.code.tolist()
        assert other.treatment.tolist() == from_table.treatment.tolist()


def test_without_a_folder_decisions_are_only_counted(events: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []

    def progress(message: str, done: int = 0, total: int | None = None) -> None:
        steps.append((message, done, total))

    flow = build_cohort("iwpc", events, progress=progress)
    assert flow.rows[0] == {"study": "iwpc", "reason": "decision points", "decisions": 80}
    assert flow.to_frame().num_rows == len(flow.rows)
    assert "from records to decisions" in flow.summary()
    assert "have no name in words" not in flow.summary()
    nameless = CohortFlow(flow.flow | {"unnamed_codes": ["LAB//LOINC//1-8"] * 12}, None)
    told = " ".join(nameless.summary().split())
    assert "12 codes have no name in words: LAB//LOINC//1-8," in told
    assert "and 2 more. Name those that matter in the study's [names]" in told
    first, *others = flow.flow["arms"]
    titled = CohortFlow(flow.flow | {"arms": [first | {"title": "Titled"}, *others]}, None)
    assert "Titled" in titled.summary(), "the option's title, not its name"
    assert all(arm["title"] for arm in flow.flow["arms"])
    assert steps[-1] == ("1 of 1 files", 1, 1)
    assert not any(tmp_path.iterdir())
    with pytest.raises(UserError, match="call build_cohort with a folder"):
        flow.load()


def test_options_without_a_dose_have_no_column_of_doses(events: Path) -> None:
    flow = build_cohort("iwpc", events).flow
    heads = ["option", "decisions", "complete", "effective"]
    for dose, column in ((28.0, ["median\ndose"]), (None, [])):
        arms = [arm | {"dose_median": dose, "title": "Empagliflozin" * 2} for arm in flow["arms"]]
        dosed = flow | {"arms": arms, "outcome": flow["outcome"] | {"dose_median": None}}
        found = [column.header for column in _arm_table(dosed).columns]
        assert found == [*heads, *column, "days followed (quartiles)"]
        assert "…" not in CohortFlow(dosed, None).summary(), "names break, and are never cut"


def test_a_long_name_is_whole_at_80_columns_beside_doses() -> None:
    name = "thiazolidinedione (pioglitazone)"
    arm = {"decisions": 4168, "complete": 3754, "effective": 0.146, "dose_median": 30.0}
    arm |= {"name": name, "days_quartiles": [373.0, 731.0, 1200.0]}
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(_arm_table({"arms": [arm], "outcome": arm | {"name": "all"}}))
    shown = console.export_text()
    assert "│ thiazolidinedione │" in shown
    assert "│ (pioglitazone)    │" in shown


def test_a_wrong_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: neither a file nor a study"):
        read_cohort("nowhere")
    wrong = tmp_path / "map.toml"
    wrong.write_text("time_zone = 'UTC'\n")
    with pytest.raises(UserError, match=r"map\.toml is not a readable Parquet file"):
        build_cohort("iwpc", wrong)


def test_a_folder_of_events_is_no_cohort_yet(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(
        UserError, match=r"is a folder, but no cohort's\. Of events, as `posology in"
    ):
        read_cohort(tmp_path)
    with pytest.raises(UserError, match=r"make a cohort first: posology cohort STUDY\.toml"):
        read_cohort(str(tmp_path))
