"""Scores by which `benchmarks.abstention` abstains: by effects with errors, and learned ones."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.linear_model import RidgeCV

from benchmarks.explanations_learned import fit_posterior
from posology.causal.patient.effect_posterior import PatientPosterior, patient_posterior
from posology.domain.cohort import Cohort
from posology.learners.features.tabular import extract_features

Z_80 = 1.281552
DRAWS, FOLDS = 200, 5
PENALTIES = np.logspace(1, 5, 9)
Score = Float64[np.ndarray, " decision"]
Options = Float64[np.ndarray, "decision treatment"]
Given = Int64[np.ndarray, " decision"]
PosteriorScore = Callable[[Options, Given, Bool[np.ndarray, " decision"]], Score]
"""Of the options chosen and given at the decisions of a mask; the lowest abstain."""


def posterior_scores(
    parts: tuple[Cohort, Cohort], test: Cohort, seed: int
) -> dict[str, PosteriorScore]:
    """Scores by the effects by which answers compare options, fitted on the parts."""
    spec, posterior = fit_posterior(parts, seed)
    x = extract_features(spec, test.history, test.last_step).astype(np.float64)
    patients = [patient_posterior(posterior, row) for row in x]

    def scored(score: Callable[[PatientPosterior, np.ndarray, int], float]) -> PosteriorScore:
        def make(chosen: Options, given: Given, judged: Bool[np.ndarray, " decision"]) -> Score:
            own = [patients[row] for row in np.flatnonzero(judged)]
            return np.array([score(*parts) for parts in zip(own, chosen, given, strict=True)])

        return make

    normal = np.random.default_rng(seed).normal(size=(DRAWS, len(patients[0].mean)))

    def lower_bound(patient: PatientPosterior, chosen: np.ndarray, given: int) -> float:
        weights = chosen - np.eye(len(chosen))[given]
        error = np.sqrt(max(float(weights @ patient.covariance @ weights), 0.0))
        return float(weights @ patient.mean) - Z_80 * error

    def expected_loss(patient: PatientPosterior, chosen: np.ndarray, given: int) -> float:
        del given
        value, vector = np.linalg.eigh(patient.covariance)
        drawn = patient.mean + (normal * np.sqrt(np.maximum(value, 0.0))) @ vector.T
        return -float((drawn.max(axis=1) - drawn @ chosen).mean())

    return {
        "effects: lower bound of the gain": scored(lower_bound),
        "effects: expected loss": scored(expected_loss),
    }


def score_inputs(effectiveness: Options, chosen: Options, given: Given) -> np.ndarray:
    """What a learned score may see: predictions, options chosen and given; standardised."""
    own = (chosen * effectiveness).sum(axis=1, keepdims=True)
    inputs = np.hstack([effectiveness, chosen, np.eye(chosen.shape[1])[given], own - effectiveness])
    return (inputs - inputs.mean(axis=0)) / (inputs.std(axis=0) + 1e-9)


def doubly_robust_gain(
    test: Cohort, judged: Bool[np.ndarray, " decision"], chosen: Options, effectiveness: Options
) -> Score:
    """Score of the option chosen minus the outcome observed, which usual care had."""
    given, at = test.treatment[judged], np.arange(int(judged.sum()))
    predicted = effectiveness[at, given]
    outcome = test.effective[judged].astype(np.float64)
    outcome = np.where(np.isnan(outcome), predicted, outcome)
    propensity = np.clip(test.logged_probability[judged].astype(np.float64), 0.05, 1.0)
    correction = chosen[at, given] / propensity * (outcome - predicted)
    return (chosen * effectiveness).sum(axis=1) + correction - outcome


def learn_from_others(inputs: np.ndarray, target: Score, subject: np.ndarray) -> Score:
    """Ridge regression by folds of patients: each is predicted from the others."""
    unique, row = np.unique(subject, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(unique))[row] % FOLDS
    found = np.zeros(len(target))
    for k in range(FOLDS):
        model = RidgeCV(PENALTIES).fit(inputs[fold != k], target[fold != k])
        found[fold == k] = model.predict(inputs[fold == k])
    return found
