"""A study that splits by the records' own split file."""

from pathlib import Path

import meds
import pyarrow.parquet as pq
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import split_by_hash
from posology.cohorts.storage.folder import build_folder, dry_run
from posology.domain.cohort import SPLITS
from posology.errors import RecordError, StudyError
from posology.records.meds_dataset import write_folder, write_splits
from tests.builders.two_drug_records import TEXT, event_table, study

SHARES = TEXT[TEXT.index("[split]") :]
BY_FILE = study((SHARES, '[split]\nby = "file"\n'))
OR_HASHED = study(("[split]\n", '[split]\nby = "file"\n'))
SUBJECTS = range(1, 13)
SPLIT_FILE = {s: ("train", "validation", "test")[s % 3] for s in SUBJECTS}


@pytest.fixture
def records(tmp_path: Path) -> Path:
    rows = [
        (s, float(d), c, 1.0)
        for s in SUBJECTS
        for d, c in enumerate(("REVIEW", "DRUG//A", "LAB", "DRUG//B", "STOP"))
    ]
    rows.append((99, 0.0, "LAB", 1.0))  # in the records, but with no decision
    write_folder(tmp_path / "meds", [event_table(*rows)])
    return tmp_path / "meds"


def split_of(cohort) -> dict[int, str]:
    ids = cohort.history.subject_id[cohort.subject]
    return {int(s): SPLITS[x] for s, x in zip(ids, cohort.split, strict=True)}


def test_the_split_file_takes_precedence_over_the_hash(records: Path, tmp_path: Path) -> None:
    write_splits(records, SPLIT_FILE)
    meds.SubjectSplitSchema.validate(pq.read_table(records / meds.subject_splits_filepath))
    for number, asked in enumerate((BY_FILE, OR_HASHED)):
        assert split_of(build_folder(asked, records, tmp_path / str(number))) == SPLIT_FILE
    told = dry_run(BY_FILE, records)["split"]
    assert told == {name: sum(x == name for x in SPLIT_FILE.values()) for name in SPLITS}


def test_the_split_file_is_ignored_unless_the_study_uses_it(records: Path, tmp_path: Path) -> None:
    write_splits(records, SPLIT_FILE)
    cohort = build_folder(study(), records, tmp_path / "cohort")
    hashed = split_by_hash(cohort.history.subject_id, study().split)
    assert (cohort.split == hashed[cohort.subject]).all()
    assert split_of(cohort) != SPLIT_FILE


def test_a_subject_missing_from_the_file_is_hashed_or_an_error(
    records: Path, tmp_path: Path
) -> None:
    write_splits(records, {s: name for s, name in SPLIT_FILE.items() if s not in (5, 7)})
    with pytest.raises(StudyError, match=r"subject 5 \(one of 2\) has decisions, but the"):
        build_folder(BY_FILE, records, tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()
    cohort = build_folder(OR_HASHED, records, tmp_path / "cohort")
    unnamed = cohort.history.subject_id[[4, 6]]
    hashed = [SPLITS[x] for x in split_by_hash(unnamed, OR_HASHED.split)]
    assert split_of(cohort) == SPLIT_FILE | dict(zip((5, 7), hashed, strict=True))


def test_a_folder_without_a_split_file_is_an_error(records: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"has no metadata/subject_splits.parquet, which study"):
        build_folder(BY_FILE, records, tmp_path / "cohort")
    with pytest.raises(StudyError, match="needs a MEDS folder that has a split file"):
        build_cohort(
            event_table(
                (1, 0.0, "REVIEW", None),
                (1, 1.0, "DRUG//A", 1.0),
                (1, 20.0, "LAB", 4.0),
                (1, 60.0, "DRUG//B", 1.0),
                (1, 61.0, "STOP", 1.0),
            ),
            BY_FILE,
        )


def test_shares_need_a_salt() -> None:
    with pytest.raises(StudyError, match=r"\[split\] needs `salt`"):
        study(('salt = "diary"', 'by = "file"'))
    with pytest.raises(StudyError, match=r"sum to 0; make it 1"):
        study((SHARES, '[split]\nby = "file"\nsalt = "x"\n'))
