"""Does a lesion that only the picture shows change the choice? With the picture, and without it.

    python -m benchmarks.lesion --json FILE

Patients of simulators/lesion.py, new ones in each repetition; 60 % to learn from, 15 % to stop by,
25 % to score. The same network (`posology fit --method network`) reads the pixels (`posology`) or
only that there was a picture (`no_image`), as gradient boosting does (`boosting`). `auc_lesion`:
does the predicted gain of excision over cream find the lesion, which no model is given?
`auc_effectiveness`: of the chance of healing under the option given; for `best`, of the true
chance. `regret`: chance of healing lost against the better option of each patient; `one_option` is
the better of the same option for all. With `--advice`, also what `recommend` compares options by
(from validation patients): `advice_coverage` of the 95 % intervals of excision against cream,
`advice_regret` of who follows the sign of each difference, and of the test patients the share whose
interval excludes 0 (`advice_clear`), and the share where it does so on the wrong side
(`advice_wrong`). Each repetition is kept beside FILE (`.jsonl`); the same command goes on after
them.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.rows import summary, write
from posology.artifact import Artifact
from posology.causal.patient.model import patient_outcomes
from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import TEST, Cohort, select_split
from posology.domain.policy import Policy
from posology.simulators.lesion import STUDY, LesionPatients, draw_patients, write_records
from posology.workflows.advice.evidence import MAX_DECISIONS
from posology.workflows.advice.patient_evidence import covariates, stored_evidence
from posology.workflows.cohorts import read_cohort
from posology.workflows.fit import FitResult, fit

Scores = dict[str, dict[str, float]]
"""By model and metric."""
MODELS = {
    "posology": ("network", True),
    "no_image": ("network", False),
    "boosting": ("boosting", False),
}
"""Method of `posology fit`, and whether the study reads the pixels."""


def score(policy: Policy, test: Cohort, truth: LesionPatients) -> dict[str, float]:
    """The metrics of a policy on test patients; truth: theirs."""
    every = np.arange(len(test))
    allowed = np.ones((len(test), 2), bool)
    place = test.history, test.last_step, allowed
    chance = policy.predict_effectiveness(*place).mean(axis=2)
    choice = policy.choice_probabilities(*place)
    obtained = (choice * truth.expected).sum(axis=1)
    return {
        "auc_lesion": float(roc_auc_score(truth.lesion, chance[:, 1] - chance[:, 0])),
        "auc_effectiveness": float(roc_auc_score(truth.healed, chance[every, truth.treatment])),
        "regret": float((truth.expected.max(axis=1) - obtained).mean()),
    }


def references(truth: LesionPatients) -> Scores:
    """Of usual care, of the same option for all, and of who knows every chance."""
    every = np.arange(len(truth.age))
    best = truth.expected.max(axis=1).mean()
    given = truth.expected[every, truth.treatment]
    return {
        "usual": {"regret": float(best - given.mean())},
        "one_option": {"regret": float(best - truth.expected.mean(axis=0).max())},
        "best": {"auc_effectiveness": float(roc_auc_score(truth.healed, given)), "regret": 0.0},
    }


def advice_scores(fitted: FitResult, test: Cohort, truth: LesionPatients) -> dict[str, float]:
    """Of the difference between the options that `recommend` would show each test patient."""
    model = Artifact(fitted.policy, fitted.study, fitted.evidence, "")
    kept = stored_evidence(model)
    if kept.patients is None or kept.features is None:
        return {}
    rows = covariates(model, kept.features)(test.history, np.asarray(test.last_step))
    found = np.array([patient_outcomes(kept.patients, x).against(1, 0) for x in rows])
    effect = truth.expected[:, 1] - truth.expected[:, 0]
    is_clear = np.abs(found[:, 0]) > 1.96 * found[:, 1]
    chosen = truth.expected[np.arange(len(rows)), (found[:, 0] > 0).astype(int)]
    return {
        "advice_coverage": float((np.abs(found[:, 0] - effect) <= 1.96 * found[:, 1]).mean()),
        "advice_regret": float((truth.expected.max(axis=1) - chosen).mean()),
        "advice_clear": float(is_clear.mean()),
        "advice_wrong": float((is_clear & (found[:, 0] * effect < 0)).mean()),
    }


def repeat(seed: int, patients: int, advice: bool = False) -> Scores:
    """One draw of patients, each model fitted once."""
    drawn = draw_patients(patients, np.random.default_rng([seed, 31]))
    study = parse_study(STUDY, "lesion.toml")
    found: Scores = {}
    with tempfile.TemporaryDirectory() as folder:
        write_records(drawn, Path(folder) / "events")
        for model, (method, images) in MODELS.items():
            profile = replace(study.profile, images=images)
            cohort = read_cohort(replace(study, profile=profile), Path(folder) / "events")
            test = select_split(cohort, TEST)
            truth = take(drawn, test.history.subject_id[test.subject] - 1)
            started = time.process_time()
            kept = MAX_DECISIONS if advice and images else 0
            fitted = fit(cohort, method, seed, evidence_decisions=kept)
            seconds = time.process_time() - started
            found[model] = score(fitted.policy, test, truth) | {"cpu_seconds": seconds}
            if kept:
                found[model] |= advice_scores(fitted, test, truth)
    return found | references(truth)


def take(drawn: LesionPatients, rows: np.ndarray) -> LesionPatients:
    """Some of the patients."""
    names = ("age", "female", "picture", "treatment", "healed", "lesion", "expected")
    return LesionPatients(**{name: getattr(drawn, name)[rows] for name in names})


def main() -> None:
    """Run the repetitions that are not kept yet, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=3000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--advice", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    started = time.time()
    kept = options.json and options.json.with_suffix(".jsonl")
    lines = kept.read_text().splitlines() if kept and kept.exists() else []
    done = {line["key"]: line["scores"] for line in map(json.loads, lines)}
    found = []
    for number in range(options.repetitions):
        key = f"{options.seed + number}-{options.patients}{'-advice' * options.advice}"
        if key not in done:
            done[key] = repeat(options.seed + number, options.patients, options.advice)
            if kept:
                with kept.open("a") as file:
                    file.write(json.dumps({"key": key, "scores": done[key]}) + "\n")
        found.append(done[key])
        print(number + 1, {m: round(s["regret"], 4) for m, s in done[key].items()}, flush=True)
    by_name = [
        {
            (model, metric): value
            for model, scores in each.items()
            for metric, value in scores.items()
        }
        for each in found
    ]
    write(options.json, summary({"lesion": by_name}), options.seed, started)


if __name__ == "__main__":
    main()
