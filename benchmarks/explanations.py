"""Whether the reasons for a recommendation are the true ones, on the virtual clinic.

    python -m benchmarks.explanations --patients 4000 --seed 101 --json out/explanations.json

One decision of each test patient whom the policy advises another option than the usual one (the
one most often given in training). The reasons are those of `posology.advice.why`: what each fact
does to the difference of the two options. `true_modifier` is the share of patients among whose
three largest reasons is a fact that truly changes the difference by at least two of 100 (the
clinic's truth, benchmarks/explanations_truth.py), if any does; `true_modifier_random` is the same
for three facts picked at random from those recorded. `largest_modifier`: whether the three hold the
fact that truly matters most. `refit_top`: whether the largest reason is among the three largest of
the policy refitted on a resample of the patients; `refit_three`: the mean share of the three that
are.
`deletion`: change of the difference without the three, less that without three random ones, and
its p (Wilcoxon). `randomised_*`: with the policy's inputs exchanged at random.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.explanations_truth import (
    RECORDED_AS,
    TrueContributions,
    meds_prefixes,
    true_contributions,
)
from benchmarks.rows import row, write
from posology.advice.form.build import build_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.why.evidence import WhyEvidence, measure_why, read_why
from posology.advice.why.explain import predict_options
from posology.advice.why.table import Situation, WhatIfTable, make_table
from posology.advice.why.what_if import WhatIf, predict_what_ifs
from posology.cohorts.storage.arrays import load_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import DECISION_COLUMNS, TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.history import offsets_from_counts, subset_subjects
from posology.domain.policy import Policy
from posology.learners.effects.policy import EffectPolicy
from posology.learners.methods import build_learner
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
    known: np.ndarray
    """Facts that are recorded of the patient."""
    contribution: np.ndarray
    """Of each of them to the lead."""

    @property
    def top(self) -> list[int]:
        """The facts of the largest reasons."""
        return [int(i) for i in self.known[np.argsort(-np.abs(self.contribution))[:TOP]]]


def main() -> None:
    """Simulate, learn, explain, and compare with the truth."""
    options, started = _options(), time.time()
    settings = ClinicSettings(
        patients=options.patients, seed=options.seed, history_effect=options.history_effect
    )
    cohort = _cohort(settings, options.work)
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    policy = build_learner(options.method, options.seed).fit(train, validation)
    why = _evidence(train, validation)
    rng = np.random.default_rng(options.seed)
    usual = int(np.bincount(train.treatment[train.treatment >= 0]).argmax())
    began = time.process_time()
    rows_of = _one_decision_each(test, rng)
    cases = explain_cases(policy, why, test, usual, rows_of)
    seconds = (time.process_time() - began) / max(len(rows_of), 1)
    print(f"{len(train)} decisions to learn from, {len(cases)} of {len(rows_of)} patients advised")
    truth = _truth_of(true_contributions(settings), why, test)
    figures = {"milliseconds": 1000 * seconds}
    figures |= hit_rates(cases, truth)
    figures |= deletion(policy, why, test, cases, rng)
    scrambled = randomised(policy, rng)
    if scrambled is not None:
        other = explain_cases(scrambled, why, test, usual, rows_of, cases)
        figures |= {f"randomised_{k}": v for k, v in hit_rates(other, truth).items()}
        figures |= {f"randomised_{k}": v for k, v in agreement(cases, other).items()}
    if options.refit:
        again = build_learner(options.method, options.seed + 1).fit(
            resample(train, rng), resample(validation, rng)
        )
        other = explain_cases(again, why, test, usual, rows_of, cases)
        figures |= {f"refit_{k}": v for k, v in agreement(cases, other).items()}
    rows = [
        row("clinic", options.method, "test", name, value, n=len(cases))
        for name, value in figures.items()
    ]
    write(options.json, rows, options.seed, started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history-effect", type=float, default=1.0)
    parser.add_argument("--method", default="effects")
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
    policy: Policy,
    why: WhyEvidence,
    test: Cohort,
    usual: int,
    rows: np.ndarray,
    same_as: Sequence[Case] | None = None,
) -> list[Case]:
    """The reasons for the policy's first option against the usual one, where they differ.

    same_as: explain the pairs of these cases instead.
    """
    predict, cases = predict_options(policy, test.study), []
    wanted = {case.decision: case.pair for case in same_as or ()}
    for r in [case.decision for case in same_as] if same_as else rows:
        step = int(test.last_step[r])
        table = make_table(Situation(predict, test.history, test.profile, step, why.facts))
        first = int(np.where(table.allowed, table.recorded, -np.inf).argmax())
        pair = wanted.get(int(r), (first, usual))
        if pair[0] != pair[1]:
            cases.append(_case(int(r), pair, table, why))
    return cases


def _case(r: int, pair: tuple[int, int], table: WhatIfTable, why: WhyEvidence) -> Case:
    place = {id(fact): i for i, fact in enumerate(why.facts)}
    known = [effects for effects in table.facts if effects.is_known]
    lead = float(table.recorded[pair[0]] - table.recorded[pair[1]])
    return Case(
        r,
        pair,
        lead,
        np.array([place[id(effects.fact)] for effects in known]),
        np.array([lead - (e.without[pair[0]] - e.without[pair[1]]) for e in known]),
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
    """How often the three reasons hold a true modifier, and how often three random facts do."""
    hit, by_chance, largest, chance_largest, shares = [], [], [], [], []
    for case in cases:
        sizes = true_sizes(case, truth)
        true = {fact for fact, size in sizes.items() if size >= MATTERS}
        n, k = len(case.known), len(true)
        if not true:
            continue
        hit.append(bool(true & set(case.top)))
        shares.append(len(true & set(case.top)) / TOP)
        by_chance.append(1 - comb(n - k, TOP) / comb(n, TOP))
        most = max(sizes.values())
        best = {fact for fact, size in sizes.items() if size == most}
        largest.append(bool(best & set(case.top)))
        chance_largest.append(1 - comb(n - len(best), TOP) / comb(n, TOP))
    return {
        "patients_with_modifier": len(hit) / max(len(cases), 1),
        "true_modifier": float(np.mean(hit)),
        "true_modifier_random": float(np.mean(by_chance)),
        "true_share_of_three": float(np.mean(shares)),
        "largest_modifier": float(np.mean(largest)),
        "largest_modifier_random": float(np.mean(chance_largest)),
    }


def agreement(cases: Sequence[Case], others: Sequence[Case]) -> dict[str, float]:
    """How far the reasons of two policies for the same pairs agree."""
    pairs = list(zip(cases, others, strict=True))
    return {
        "top": float(np.mean([a.top[0] in b.top for a, b in pairs])),
        "top_same": float(np.mean([a.top[0] == b.top[0] for a, b in pairs])),
        "three": float(np.mean([len(set(a.top) & set(b.top)) / TOP for a, b in pairs])),
    }


def deletion(
    policy: Policy,
    why: WhyEvidence,
    test: Cohort,
    cases: Sequence[Case],
    rng: np.random.Generator,
) -> dict[str, float]:
    """How much the difference changes without the three facts, against three random ones."""
    predict, changes = predict_options(policy, test.study), []
    for case in cases:
        step, random = int(test.last_step[case.decision]), rng.choice(case.known, TOP, False)
        both = []
        for facts in (case.top, random.tolist()):
            drawn = _without(why, facts, rng)
            found, _ = predict_what_ifs(predict, test.history, test.profile, step, drawn)
            rest = (found[:, case.pair[0]] - found[:, case.pair[1]]).mean()
            both.append(abs(case.lead - rest))
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


def randomised(policy: Policy, rng: np.random.Generator) -> Policy | None:
    """The policy with its weights at other inputs than they were learned for."""
    if not isinstance(policy, EffectPolicy):
        return None
    order = rng.permutation(len(policy.spec.code))
    spec = replace(policy.spec, code=policy.spec.code[order], kind=policy.spec.kind[order])
    return replace(policy, spec=spec)


def resample(cohort: Cohort, rng: np.random.Generator) -> Cohort:
    """As many patients, drawn with replacement."""
    subjects = len(cohort.history.subject_id)
    drawn = np.sort(rng.integers(subjects, size=subjects))
    order = np.argsort(cohort.subject, kind="stable")
    starts = offsets_from_counts(np.bincount(cohort.subject, minlength=subjects))
    rows = [order[starts[s] : starts[s + 1]] for s in drawn]
    decision = np.concatenate(rows)
    subject = np.repeat(np.arange(subjects), [len(r) for r in rows])
    history = subset_subjects(cohort.history, drawn)
    old = cohort.history.step_offsets[cohort.subject[decision]]
    columns = {
        name: None if (column := getattr(cohort, name)) is None else column[decision]
        for name in DECISION_COLUMNS
    }
    return replace(
        cohort,
        history=history,
        subject=subject.astype(np.int64),
        last_step=cohort.last_step[decision] - old + history.step_offsets[subject],
        **columns,
    )


if __name__ == "__main__":
    main()
