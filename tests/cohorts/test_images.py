"""Each image event of a cohort shows the array of its patient, in every part of the cohort."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posology.cohorts.build import encode_cohort
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import build_folder
from posology.domain.ablation import without_codes
from posology.domain.cohort import TEST, Cohort, join_cohorts, select_split, subset_decisions
from posology.domain.history import History
from posology.domain.images import NO_IMAGE, shown_images
from posology.errors import RecordError, StudyError, UserError
from posology.records.io.checksums import write_checksums
from posology.records.io.image_store import image_writer
from posology.simulators.lesion import PICTURE, LesionPatients, draw_patients, write_records
from posology.workflows.cohorts import read_cohort
from posology.workflows.over_time.events import read_events
from tests.builders.lesion_records import lesion_cohort, lesion_study


def check_shown(history: History, codes: tuple[str, ...], *drawn: LesionPatients) -> int:
    """Every image event shows its subject's picture; returns how many there are."""
    images = history.images
    assert images is not None
    is_image = history.code == codes.index(PICTURE)
    np.testing.assert_array_equal(images.row != NO_IMAGE, is_image)
    step = np.searchsorted(history.event_offsets, np.flatnonzero(is_image), side="right") - 1
    owner = np.searchsorted(history.step_offsets, step, side="right") - 1
    shown = images.frames[images.offsets[images.row[is_image]]]
    pictures = np.concatenate([patients.picture for patients in drawn])
    np.testing.assert_array_equal(shown, pictures[history.subject_id[owner] - 1])
    return int(is_image.sum())


def test_each_event_shows_its_picture_in_every_part(tmp_path: Path) -> None:
    cohort, drawn = lesion_cohort(tmp_path / "events")
    codes = cohort.profile.codes
    assert check_shown(cohort.history, codes, drawn) == 40
    test = select_split(cohort, TEST)
    assert check_shown(test.history, codes, drawn) == len(test)
    first, last = (subset_decisions(cohort, cohort.subject % 3 == k) for k in (2, 0))
    joined = join_cohorts(first, last)
    assert check_shown(joined.history, codes, drawn) == len(first) + len(last)
    fewer = without_codes(cohort.history, cohort.profile, ("SEX",))
    assert check_shown(fewer, codes, drawn) == 40
    assert test.history.images is not None
    small = shown_images(test.history.images)
    assert check_shown(replace(test.history, images=small), codes, drawn) == len(small.frames)


def test_a_cohort_folder_keeps_the_images(tmp_path: Path) -> None:
    whole, drawn = lesion_cohort(tmp_path / "events")
    build_folder(lesion_study(), tmp_path / "events", tmp_path / "cohort")
    kept = load_cohort(tmp_path / "cohort")
    assert check_shown(kept.history, kept.profile.codes, drawn) == 40
    np.testing.assert_array_equal(kept.history.code, whole.history.code)


def test_folders_of_old_and_new_patients_are_read_together(tmp_path: Path) -> None:
    cohort, old = lesion_cohort(tmp_path / "old", 12)
    new = draw_patients(9, np.random.default_rng(6))
    write_records(new, tmp_path / "new", before=12)
    places = (tmp_path / "new", tmp_path / "old", tmp_path / "old" / "data" / "0.parquet")
    encoded = encode_cohort(read_events(places), lesion_study(), cohort.profile, places)
    assert check_shown(encoded.history, cohort.profile.codes, old, new) == 21
    with pytest.raises(RecordError, match="12 of 21 image events name no array in the records"):
        encode_cohort(read_events(places), lesion_study(), cohort.profile, places[:1])


def test_a_study_that_reads_no_images_has_none(tmp_path: Path) -> None:
    with_images, _ = lesion_cohort(tmp_path / "events")
    without = read_cohort(lesion_study(images=False), tmp_path / "events")
    assert without.history.images is None
    np.testing.assert_array_equal(without.history.code, with_images.history.code)
    np.testing.assert_array_equal(without.history.value, with_images.history.value)


def rebuilt(folder: Path) -> Cohort:
    return read_cohort(lesion_study(), folder)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    events = tmp_path / "events"
    cohort, _ = lesion_cohort(events)
    table = pq.read_table(events / "data" / "0.parquet")
    with pytest.raises(UserError, match="images = true needs the folder of events"):
        read_cohort(lesion_study(), table)
    with pytest.raises(UserError, match="study lesion reads images, and a table of events has no"):
        encode_cohort(table, lesion_study(), cohort.profile)
    texts = table["text_value"].to_pylist()
    first = next(text for text in texts if text)
    row = texts.index(first)
    with image_writer(events / "images" / "other.npz") as keep:
        texts[row] = keep(np.zeros((1, 16, 16), np.float16))
    column = table.column_names.index("text_value")
    changed = table.set_column(column, "text_value", [texts])
    pq.write_table(changed.cast(table.schema), events / "data" / "0.parquet")
    write_checksums(events)
    with pytest.raises(RecordError, match="images of 16 x 16 and 32 x 32"):
        rebuilt(events)
    texts[row] = None
    changed = table.set_column(column, "text_value", [texts])
    pq.write_table(changed.cast(table.schema), events / "data" / "0.parquet")
    write_checksums(events)
    with pytest.raises(RecordError, match="1 of 40 image events name no array"):
        rebuilt(events)
    for path in (events / "images").iterdir():
        path.unlink()
    (events / "images").rmdir()
    write_checksums(events)
    with pytest.raises(StudyError, match=r"and \S+ has none; ingest with"):
        rebuilt(events)
