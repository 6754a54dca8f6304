"""MEDS-transforms, meds-torch-data and ACES run on a folder that `ingest` wrote.

`pip install meds-torch-data es-aces` in an environment of its own (one of their packages breaks
pytest) installs all three; give its `bin` as POSOLOGY_MEDS_TOOLS, or have it on the PATH.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology.records.meds_dataset import read_splits
from posology.records.pipeline.ingest import IngestSettings, ingest
from tests.builders.raw_events import raw_source, raw_table
from tests.records.pipeline.test_subject_splits import SHARES, rows

PLACES = [os.environ.get("POSOLOGY_MEDS_TOOLS", ""), os.environ.get("PATH", "")]
PATH = os.pathsep.join(filter(None, PLACES))
PATIENTS = range(1, 30)


def program(name: str, package: str) -> str:
    """The path of a program of a package, which some tests do without."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"no {name}: pip install {package} and set POSOLOGY_MEDS_TOOLS to its bin")
    return found


def call(folder: Path, *command: str) -> str:
    """What a command prints; it must end well."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PATH": PATH}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def with_splits(tmp_path: Path) -> Path:
    sex = [(n, None, "SEX//female", None, None, None) for n in PATIENTS]
    source = raw_source(tmp_path / "a.parquet", raw_table(rows(PATIENTS) + sex))
    ingest([source], tmp_path / "out", IngestSettings(report=False, splits=SHARES))
    return tmp_path / "out"


def subjects(folder: Path) -> Counter[str]:
    """Patients by MEDS's name of their split."""
    names = {"train": "train", "validation": "tuning", "test": "held_out"}
    return Counter(names[split] for split in (read_splits(folder) or {}).values())


ACES = """
predicates:
  lab:
    code: LAB//k
trigger: lab
windows:
  input:
    start: null
    end: trigger
    start_inclusive: True
    end_inclusive: True
    index_timestamp: end
  target:
    start: input.end
    end: start + 400 days
    start_inclusive: False
    end_inclusive: True
    label: lab
"""


def test_aces_extracts_a_task(with_splits: Path, tmp_path: Path) -> None:
    aces = program("aces-cli", "es-aces")
    (tmp_path / "task.yaml").write_text(ACES)
    data = with_splits / "data" / "0.parquet"
    words = ("cohort_name=task", f"cohort_dir={tmp_path}", "data.standard=meds")
    call(tmp_path, aces, *words, f"data.path={data}")
    labels = pq.read_table(tmp_path / "task.parquet")
    assert labels.num_rows == 29 * 3
    assert sorted(set(labels["boolean_value"].to_pylist())) == [False, True]


def test_meds_transforms_reads_the_folder(with_splits: Path, tmp_path: Path) -> None:
    pipeline = program("MEDS_transform-pipeline", "MEDS-transforms")
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"input_dir: {with_splits}\noutput_dir: {tmp_path / 'made'}\n"
        "stages:\n  - aggregate_code_metadata:\n      aggregations:\n"
        "        - code/n_occurrences\n        - values/sum\n"
    )
    call(tmp_path, pipeline, str(config))
    codes = pq.read_table(tmp_path / "made" / "metadata" / "codes.parquet").to_pylist()
    of_training = 3 * subjects(with_splits)["train"]
    assert [row["code/n_occurrences"] for row in codes if row["code"] == "LAB//k"] == [of_training]


LOAD = """
import json, sys
from meds_torchdata import MEDSPytorchDataset, MEDSTorchDataConfig

loaded = {}
for split in ("train", "tuning", "held_out"):
    config = MEDSTorchDataConfig(tensorized_cohort_dir=sys.argv[1], max_seq_len=100)
    data = MEDSPytorchDataset(config, split=split)
    batch = data.collate([data[number] for number in range(len(data))])
    valued = batch.numeric_value_mask & (batch.code != 0)
    counts = [int((codes != 0).sum()) for codes in (batch.code, batch.static_code)]
    loaded[split] = [len(data), counts, batch.numeric_value[valued].tolist()]
print(json.dumps(loaded))
"""


def test_meds_torch_data_loads_every_event(with_splits: Path, tmp_path: Path) -> None:
    preprocess = program("MTD_preprocess", "meds-torch-data")
    tensors = tmp_path / "tensors"
    folders = (f"MEDS_dataset_dir={with_splits}", f"output_dir={tensors}")
    call(tmp_path, preprocess, *folders, "do_reshard=True")
    python = str(Path(preprocess).with_name("python"))
    loaded = json.loads(call(tmp_path, python, "-c", LOAD, str(tensors)).splitlines()[-1])
    assert {split: of[0] for split, of in loaded.items()} == subjects(with_splits)
    for patients, counts, values in loaded.values():
        assert counts == [3 * patients, patients], "three laboratory values and a sex of each"
        scaled = sorted({round(value, 4) for value in values})
        assert scaled == [-1.2247, 0.0, 1.2247], "0, 1 and 2 by the training mean and deviation"
