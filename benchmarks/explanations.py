"""Whether the reasons for a recommendation are the true ones, on the virtual clinic.

    python -m benchmarks.explanations --patients 4000 --seed 101 --json out/explanations.json

The reasons are those that `posology recommend` gives: what each fact does to the difference of two
options, by the effects of the effect study (`--method effects`: by the policy of that learner).
One decision of each test patient for whom another option than the usual one (the one most often
given in training) is shown better, as the answer shows it: the 95 % interval of the difference
excludes 0. With a policy, which has no interval: every patient whom it advises another option.

`true_modifier`: share of patients among whose three largest reasons is a fact that truly changes
the difference by at least two of 100 (benchmarks/explanations_truth.py), of those with any;
`true_modifier_random`: the same for as many random facts of those recorded. `largest_modifier`:
whether the three hold the fact that truly matters most. After a refit on a resample of the
patients, `refit_direction`: whether the largest reason speaks for the same option
(`refit_direction_of_three`: the share of the three); `refit_top`: whether it is among the three
facts of the largest changes (`refit_three`: the share of the three). `deletion`: change of the
difference without the three, against that without as many random facts, and its p (Wilcoxon).
`randomised_*`: with the inputs exchanged at random, so that each weight meets another input than it
was learned for.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.explanations_learned import Learned, learn, randomised, resample
from benchmarks.explanations_truth import (
    RECORDED_AS,
    TrueContributions,
    meds_prefixes,
    true_contributions,
)
from benchmarks.rows import row, write
from posology.advice.form.build import build_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.why.contrasts import contrast_options
from posology.advice.why.evidence import WhyEvidence, measure_why, read_why
from posology.advice.why.table import Situation, make_table
from posology.advice.why.what_if import WhatIf, predict_what_ifs
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings

MATTERS = 2.0
"""Of 100: a fact that truly changes the difference by this much is a true modifier."""
TOP, DRAWS = 3, 10


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One patient with the reasons for one pair of options."""

    decision: int
    """Row of the test split's decisions."""
    pair: tuple[int, int]
    lead: float
    contribution: dict[int, float]
    """Of each fact that is recorded of the patient to the difference, of 100."""
    reasons: tuple[int, ...]
    """Facts of the reasons shown, the largest first."""

    @property
    def known(self) -> tuple[int, ...]:
        """Facts that are recorded of the patient."""
        return tuple(self.contribution)

    @property
    def top(self) -> tuple[int, ...]:
        """The facts of the three largest."""
        return self.reasons[:TOP]


def main() -> None:
    """Simulate, learn, explain, and compare with the truth."""
    options, started = _options(), time.time()
    settings = ClinicSettings(
        patients=options.patients, seed=options.seed, history_effect=options.history_effect
    )
    cohort = _cohort(settings, options.work)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    why, rng = _evidence(train, validation), np.random.default_rng(options.seed)
    usual = int(np.bincount(train.treatment[train.treatment >= 0]).argmax())
    learned = learn(options.method, (train, validation), options.seed)
    began, rows = time.process_time(), _one_decision_each(test, rng)
    cases = explain_cases(learned, why, test, usual, rows)
    seconds = (time.process_time() - began) / max(len(rows), 1)
    print(f"{len(train)} decisions to learn from; {len(cases)} of {len(rows)} patients")
    truth = _truth_of(true_contributions(settings), why, test)
    figures = {"share_of_patients": len(cases) / len(rows), "milliseconds": 1000 * seconds}
    figures |= hit_rates(cases, truth) | deletion(learned, why, test, cases, rng)
    other = explain_cases(randomised(learned, rng), why, test, usual, rows, cases)
    figures |= {f"randomised_{k}": v for k, v in hit_rates(other, truth).items()}
    figures |= {f"randomised_{k}": v for k, v in agreement(cases, other).items()}
    if options.refit:
        parts = (resample(train, rng), resample(validation, rng))
        again = learn(options.method, parts, options.seed + 1)
        other = explain_cases(again, why, test, usual, rows, cases)
        figures |= {f"refit_{k}": v for k, v in agreement(cases, other).items()}
    found = [
        row("clinic", options.method, "test", name, value, n=len(cases))
        for name, value in figures.items()
    ]
    write(options.json, found, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history-effect", type=float, default=1.0)
    parser.add_argument("--method", default="answers")
    parser.add_argument("--no-refit", dest="refit", action="store_false")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/explanations"))
    return parser.parse_args()


def _cohort(settings: ClinicSettings, work: Path) -> Cohort:
    name = f"{settings.patients}-seed-{settings.seed}-h{settings.history_effect:g}"
    folder = work / name
    if not (folder / "cohort").exists():
        for _ in write_clinic(settings, folder / "records"):
            pass
        records = folder / "records" / "meds"
        build_folder(read_study("clinic"), records, folder / "cohort", BuildOptions())
    return load_cohort(folder / "cohort")


def _evidence(train: Cohort, validation: Cohort) -> WhyEvidence:
    form = build_form(train.study, train.profile, measure_facts(train))
    known = read_why({"why": measure_why(train, validation, form, None)})
    assert known is not None
    return known


def _one_decision_each(test: Cohort, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(len(test))
    _, first = np.unique(test.subject[order], return_index=True)
    return np.sort(order[first])


def explain_cases(
    learned: Learned,
    why: WhyEvidence,
    test: Cohort,
    usual: int,
    rows: np.ndarray,
    same_as: Sequence[Case] | None = None,
) -> list[Case]:
    """The reasons for the first option against the usual one, where it is shown better.

    same_as: explain the pairs of these cases instead.
    """
    if same_as is not None:
        return [_case(learned, why, test, case.decision, case.pair) for case in same_as]
    cases = []
    for r in rows.tolist():
        first = learned.shown_better(test, r, usual)
        if first is not None:
            cases.append(_case(learned, why, test, r, (first, usual)))
    return cases


def _case(learned: Learned, why: WhyEvidence, test: Cohort, r: int, pair: tuple[int, int]) -> Case:
    step, values = int(test.last_step[r]), learned.values
    parts = (test.history, test.profile, step, why.facts, why.groups)
    table = make_table(Situation(values.predict, *parts))
    contrast = contrast_options(table, test.profile, pair, values)
    fact_of = {code: i for i, fact in enumerate(why.facts) for code in fact.rows}
    row_of = {code: i for i, code in enumerate(test.profile.codes)}
    place = {id(fact): i for i, fact in enumerate(why.facts)}
    lead = contrast.difference
    return Case(
        decision=r,
        pair=pair,
        lead=lead,
        contribution={
            place[id(e.fact)]: lead - float(e.without[pair[0]] - e.without[pair[1]])
            for e in table.facts
            if e.is_known
        },
        reasons=tuple(fact_of[row_of[reason.code]] for reason in contrast.reasons),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """True contributions, by test decision, to each option, under the policy's facts."""

    recorded: np.ndarray
    without: dict[str, np.ndarray]
    facts: dict[str, tuple[int, ...]]
    """Facts that record each of the truth's."""


def _truth_of(found: TrueContributions, why: WhyEvidence, test: Cohort) -> Truth:
    assert test.time is not None
    subject = test.history.subject_id[test.subject]
    minute = np.round(test.time * 24 * 60).astype(np.int64)
    rows = [found.keys[int(s), int(m)] for s, m in zip(subject, minute, strict=True)]
    profile = test.profile
    facts = {}
    for name in RECORDED_AS:
        codes = profile.rows(meds_prefixes(name))
        facts[name] = tuple(i for i, fact in enumerate(why.facts) if codes & set(fact.rows))
    return Truth(found.effects[rows], {name: x[rows] for name, x in found.without.items()}, facts)


def true_sizes(case: Case, truth: Truth) -> dict[int, float]:
    """Size of the true contribution of each known fact to the case's difference, of 100."""
    a, b = case.pair
    lead = truth.recorded[case.decision]
    sizes: dict[int, float] = {}
    for name, facts in truth.facts.items():
        rest = truth.without[name][case.decision]
        size = abs((lead[a] - lead[b]) - (rest[a] - rest[b]))
        for fact in facts:
            if fact in case.known:
                sizes[fact] = max(sizes.get(fact, 0.0), float(size))
    return sizes


def hit_rates(cases: Sequence[Case], truth: Truth) -> dict[str, float]:
    """How often the three reasons hold a true modifier, and how often random facts do."""
    found = []
    for case in cases:
        sizes = true_sizes(case, truth)
        true = {fact for fact, size in sizes.items() if size >= MATTERS}
        if not true:
            continue
        most = max(sizes.values())
        best = {fact for fact, size in sizes.items() if size == most}
        n, picked = len(case.known), len(case.top)
        found.append(
            (
                bool(true & set(case.top)),
                1 - comb(n - len(true), picked) / comb(n, picked),
                len(true & set(case.top)) / max(picked, 1),
                bool(best & set(case.top)),
                1 - comb(n - len(best), picked) / comb(n, picked),
                picked,
            )
        )
    names = (
        "true_modifier",
        "true_modifier_random",
        "true_share_of_three",
        "largest_modifier",
        "largest_modifier_random",
        "reasons_of_three",
    )
    means = np.array(found, dtype=float).reshape(-1, len(names)).mean(axis=0)
    share = len(found) / max(len(cases), 1)
    return {"with_modifier": share, **dict(zip(names, means.tolist(), strict=True))}


def agreement(cases: Sequence[Case], others: Sequence[Case]) -> dict[str, float]:
    """How far the largest reasons for the same pairs agree with another model's largest facts."""
    pairs = [(a, b, _largest(b)) for a, b in zip(cases, others, strict=True) if a.top]
    return {
        "direction": float(np.mean([_same_side(a, b, a.top[0]) for a, b, _ in pairs])),
        "direction_of_three": float(
            np.mean([np.mean([_same_side(a, b, fact) for fact in a.top]) for a, b, _ in pairs])
        ),
        "top": float(np.mean([a.top[0] in largest for a, _, largest in pairs])),
        "three": float(
            np.mean([len(set(a.top) & largest) / len(a.top) for a, _, largest in pairs])
        ),
    }


def _largest(case: Case) -> set[int]:
    """The facts of the three largest contributions, sure or not."""
    return set(sorted(case.known, key=lambda fact: -abs(case.contribution[fact]))[:TOP])


def _same_side(one: Case, other: Case, fact: int) -> bool:
    return one.contribution[fact] * other.contribution[fact] > 0


def deletion(
    learned: Learned,
    why: WhyEvidence,
    test: Cohort,
    cases: Sequence[Case],
    rng: np.random.Generator,
) -> dict[str, float]:
    """How much the difference changes without the three facts, against as many random ones."""
    changes, predict = [], learned.values.predict
    for case in cases:
        step, (first, other) = int(test.last_step[case.decision]), case.pair
        random = rng.choice(case.known, len(case.top), replace=False)
        both = []
        for facts in (case.top, random.tolist()):
            drawn = _without(why, facts, rng)
            found, _ = predict_what_ifs(predict, test.history, test.profile, step, drawn)
            both.append(abs(case.lead - (found[:, first] - found[:, other]).mean()))
        changes.append(both)
    top, chance = np.array(changes).T
    return {
        "deletion_top": float(top.mean()),
        "deletion_random": float(chance.mean()),
        "deletion_p": float(wilcoxon(top, chance, alternative="greater").pvalue),
    }


def _without(why: WhyEvidence, facts: Sequence[int], rng: np.random.Generator) -> list[WhatIf]:
    """Cases in which the facts have values drawn as training patients had them."""
    draws: list[WhatIf] = []
    for _ in range(DRAWS):
        case = []
        for i in facts:
            fact = why.facts[i]
            share = np.array([v.share for v in fact.values])
            drawn = None
            if len(share) and not fact.is_treatment and fact.kind != "presence":
                drawn = fact.values[rng.choice(len(share), p=share / share.sum())]
            case.append((fact, drawn))
        draws.append(tuple(case))
    return draws


if __name__ == "__main__":
    main()
