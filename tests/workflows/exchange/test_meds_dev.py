"""The entry of MEDS-DEV runs: its commands, filled in and run as MEDS-DEV does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml

from tests.workflows.exchange.test_label_models import PATIENTS, task

__all__ = ["task"]
ENTRY = Path(__file__).parents[3] / "meds-dev"


def run(command: str, **places: str) -> None:
    filled = command.format(**places).replace(
        "posology labels", f"{sys.executable} -m posology labels"
    )
    subprocess.run(["bash", "-euc", filled], check=True, capture_output=True, text=True)


def test_train_and_predict(task, tmp_path: Path) -> None:
    commands = yaml.safe_load((ENTRY / "model.yaml").read_text())["commands"]["supervised"]
    places = {"dataset_dir": str(task.dataset), "labels_dir": str(task.labels)}
    train, predict = str(tmp_path / "a train"), str(tmp_path / "predict")
    run(commands["train"], output_dir=train, **places)
    run(
        commands["predict"],
        output_dir=predict,
        model_initialization_dir=train,
        split="held_out",
        **places,
    )
    table = pq.read_table(tmp_path / "predict" / "predictions.parquet")
    assert len(table) == PATIENTS // 5
    right = table["predicted_boolean_value"].to_numpy() == table["boolean_value"].to_numpy()
    assert np.mean(right) > 0.75
