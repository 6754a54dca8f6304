"""Later patients with pictures: what `monitor` and `update` see of them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from posology import artifact
from posology.domain.images import NO_IMAGE
from posology.errors import RecordError, UserError
from posology.lifecycle.registry.changes import Author
from posology.service.monitors.cases import monitor_store
from posology.service.store.store import Store
from posology.simulators.lesion import draw_patients, write_records
from posology.workflows.monitoring.monitor import MonitorSettings, monitor
from posology.workflows.over_time.events import read_events
from posology.workflows.over_time.preview import preview_update
from posology.workflows.over_time.update import Learning, NewRecords, update
from posology.workflows.policies.encode_records import encode_records
from posology.workflows.progress import no_progress
from tests.builders.lesion_records import fit_lesion
from tests.builders.small_recipes import use_small_recipe

LATER = datetime(2025, 3, 1)  # noqa: DTZ001 - MEDS times have no zone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 120 patients with pictures, their events, and those of 300 later ones."""
    folder = tmp_path_factory.mktemp("lesion")
    fit_lesion(folder, 120)
    write_records(draw_patients(300, np.random.default_rng(8)), folder / "new", 120, LATER)
    return folder


def test_the_monitors_see_what_the_network_reads(folder: Path) -> None:
    model = artifact.load(folder / "model")
    result = monitor(model, folder / "new")
    assert result.verdict.first_month == 2025 * 12 + 2
    with pytest.raises(UserError, match="a table of events has none; give the folders that"):
        monitor(model, read_events([folder / "new"]))
    with pytest.raises(UserError, match="name the events of later patients in place of --service"):
        monitor_store(cast(Store, None), model, MonitorSettings(), no_progress)


def test_an_update_learns_from_later_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small_recipe(monkeypatch)
    places = (folder / "events", folder / "new")
    records = NewRecords(read_events(places), places=places)
    preview = preview_update(folder / "model", records.events, places=places)
    assert 0 < preview.replayed < 120  # not those of the test split
    assert preview.fresh + preview.learned_from_new == 300
    few = Learning(evidence_decisions=0)
    result = update(folder / "model", records, tmp_path / "out", Author("ada", "a test"), few)
    assert result.evidence.fresh == preview.fresh
    new = artifact.load(tmp_path / "out")
    seen = encode_records(records.events, new.study, new.policy, places)
    decisions = seen.history, seen.last_step, np.ones((len(seen), 2), bool)
    with_pictures = new.policy.predict_effectiveness(*decisions)
    images = seen.history.images
    assert images is not None
    none = replace(images, row=np.full_like(images.row, NO_IMAGE))
    blind = replace(seen.history, images=none)
    assert not np.allclose(
        with_pictures, new.policy.predict_effectiveness(blind, *decisions[1:]), atol=1e-4
    )


def test_pictures_of_another_size_are_an_error(folder: Path, tmp_path: Path) -> None:
    drawn = draw_patients(3, np.random.default_rng(9))
    small = replace(drawn, picture=drawn.picture[:, ::2, ::2])
    write_records(small, tmp_path / "small", 120, LATER)
    with pytest.raises(RecordError, match="images of 16 x 16, and the policy learned from images"):
        monitor(artifact.load(folder / "model"), tmp_path / "small")
