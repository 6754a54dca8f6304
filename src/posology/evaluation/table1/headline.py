"""The first sentence of a report: whether the reference model wins, by how much, with p."""

from posology.evaluation.table1.comparison import PairedTest, Table1, is_variant
from posology.evaluation.table1.metrics import LOWER_IS_BETTER

MODEL_TITLES = {
    "posology": "posology",
    "posology_supervised": "posology before its second phase",
    "posology_paper": "posology by the paper's recipe",
    "fixed": "one fixed dose",
    "clinical_formula": "the clinical formula",
    "pgx_formula": "the pharmacogenetic formula",
    "formula_refit": "the refitted formula",
    "logistic": "logistic regression",
    "forest": "the random forest",
    "boosting": "gradient boosting",
    "boosting_formula": "gradient boosting with the refitted formula as an input",
    "network": "posology's network alone",
    "kernel": "kernel regression with the refitted formula as an input",
    "lightgbm": "LightGBM with the refitted formula as an input",
    "svr": "support vector regression with the refitted formula as an input",
    "ridge_margin": "ridge regression of the target distance at each dose",
    "tuned_margin": "tuned gradient boosting of the target distance at each dose",
    "boosting_margin": "gradient boosting of the target distance at each dose",
}
"""Name of each model in a sentence; other models keep their own name."""


def model_title(model: str) -> str:
    """Name of a model in a sentence."""
    return MODEL_TITLES.get(model, model.replace("_", " "))


def write_headline(table1: Table1) -> str:
    """One sentence on the main metric: the dose error if a dose is predicted, else accuracy.

    The reference wins only if it is significantly better than every baseline after Holm's
    correction, and loses if it is significantly worse than any; otherwise there is no winner.
    """
    metric = "mae" if _is_tested(table1, "mae") else "accuracy"
    tests = [t for t in _baselines(table1, metric) if t.verdict != "untested"]
    reference = model_title(table1.reference)
    if not tests and table1.sites == 1 and _baselines(table1, metric):
        return (
            "No winner: all patients are of one site, and differences at other sites cannot be "
            "tested with fewer than two."
        )
    if not tests:
        return f"{_capitalise(reference)} was compared with no baseline, so there is no winner."
    sign = 1 if metric in LOWER_IS_BETTER else -1
    best = min(tests, key=lambda t: sign * table1.row(t.model, metric).value)
    worse = [t for t in tests if t.verdict == "worse"]
    better = [t for t in tests if t.verdict == "better"]
    where = _evaluated_on(table1)
    if worse:
        worst = max(worse, key=lambda t: sign * t.difference)
        return (
            f"{_capitalise(reference)} loses {where}: its {_comparison(table1, worst)}, and it is "
            f"better than {_count_of(len(better), len(tests))}."
        )
    if len(better) == len(tests):
        return (
            f"{_capitalise(reference)} wins {where}: it is better than "
            f"{_count_of(len(tests), len(tests))}, and its {_comparison(table1, best)}."
        )
    ties = [t for t in tests if t.verdict == "tie"]
    closest = best if best in ties else max(ties, key=lambda t: sign * t.difference)
    return (
        f"No winner {where}: {reference} does not differ significantly from "
        f"{model_title(closest.model)}; its {_comparison(table1, closest)}, and it is better than "
        f"{_count_of(len(better), len(tests))}."
    )


def _comparison(table1: Table1, test: PairedTest) -> str:
    size = abs(test.difference)
    metric, other = test.metric, model_title(test.model)
    value = table1.row(table1.reference, metric).value
    if metric == "mae":
        figure = f"mean dose error of {value:.2f} {table1.dose_unit}"
        gap = f"{size:.2f} {'less' if test.difference < 0 else 'more'} than that of {other}"
        limits = f"{test.low:+.2f} to {test.high:+.2f}"
    else:
        figure = f"accuracy of {100 * value:.1f} %"
        gap = (
            f"{100 * size:.1f} points {'above' if test.difference > 0 else 'below'} that of {other}"
        )
        limits = f"{100 * test.low:+.1f} to {100 * test.high:+.1f} points"
    return (
        f"{figure} is {gap} (95 % interval of the difference {limits}; "
        f"{format_p_value(test.p_holm)} after Holm's correction)"
    )


def _evaluated_on(table1: Table1) -> str:
    unit = "patients" if table1.subjects == table1.decisions else "decisions"
    held_out = {
        "test": " held out for the test",
        "kfold": ", each held out once",
        "site": " at hospitals held out in turn",
    }
    sites = f" of {table1.sites} sites" if table1.sites is not None else ""
    return f"on {table1.decisions:,} {unit}{sites}{held_out.get(table1.split, '')}"


def format_p_value(p: float) -> str:
    """A p value as papers print it: `p < 0.001`, `p = 0.032`, `p = 0.41`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _count_of(some: int, total: int) -> str:
    if total == 1:
        return "the one baseline" if some else "no baseline"
    if some == total:
        return f"all {total} baselines"
    return f"{some or 'none'} of {total} baselines"


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def _is_tested(table1: Table1, metric: str) -> bool:
    return any(t.verdict != "untested" for t in _baselines(table1, metric))


def _baselines(table1: Table1, metric: str) -> list[PairedTest]:
    return [
        t for t in table1.tests if t.metric == metric and not is_variant(t.model, table1.reference)
    ]
