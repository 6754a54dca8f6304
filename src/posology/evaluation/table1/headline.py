"""The first line of a report: who wins, by how much, and how sure that is."""

from posology.evaluation.table1.comparison import LOWER_IS_BETTER, PairedTest, Table1, is_variant

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
    "boosting_formula": "gradient boosting given the refitted formula",
    "ridge_margin": "ridge regression of the margin at each dose",
    "boosting_margin": "gradient boosting of the margin at each dose",
}
"""How a sentence names each model; other names are written as they are."""


def model_title(model: str) -> str:
    """How a sentence names a model."""
    return MODEL_TITLES.get(model, model.replace("_", " "))


def write_headline(table1: Table1) -> str:
    """One plain sentence on the main metric: the dose error where a dose is asked, else accuracy.

    It says `wins` only where the reference is ahead of every baseline after Holm's correction,
    `loses` where it is behind any, and otherwise that there is no winner.
    """
    metric = "mae" if _asked(table1, "mae") else "accuracy"
    tests = [t for t in _baselines(table1, metric) if t.verdict != "untested"]
    who = model_title(table1.reference)
    if not tests:
        return (
            f"{_first(who)} was compared with no baseline, so nothing can be said about who wins."
        )
    sign = 1 if metric in LOWER_IS_BETTER else -1
    best = min(tests, key=lambda t: sign * table1.row(t.model, metric).value)
    behind = [t for t in tests if t.verdict == "worse"]
    ahead = [t for t in tests if t.verdict == "better"]
    where = _where(table1)
    if behind:
        worst = max(behind, key=lambda t: sign * t.difference)
        return (
            f"{_first(who)} loses {where}: its {_compared(table1, worst)}, and it is ahead of "
            f"{_of(len(ahead), len(tests))}."
        )
    if len(ahead) == len(tests):
        return (
            f"{_first(who)} wins {where}: it is ahead of {_of(len(tests), len(tests))}, and its "
            f"{_compared(table1, best)}."
        )
    ties = [t for t in tests if t.verdict == "tie"]
    open_ = best if best in ties else max(ties, key=lambda t: sign * t.difference)
    return (
        f"No winner {where}: {who} cannot be told from {model_title(open_.model)}; its "
        f"{_compared(table1, open_)}, and it is ahead of {_of(len(ahead), len(tests))}."
    )


def _compared(table1: Table1, test: PairedTest) -> str:
    size, span = abs(test.difference), (test.low, test.high)
    metric, other = test.metric, model_title(test.model)
    value = table1.row(table1.reference, metric).value
    if metric == "mae":
        what = f"mean dose error of {value:.2f} {table1.dose_unit}"
        gap = f"{size:.2f} {'less' if test.difference < 0 else 'more'} than that of {other}"
        limits = f"{span[0]:+.2f} to {span[1]:+.2f}"
    else:
        what = f"accuracy of {100 * value:.1f} %"
        gap = (
            f"{100 * size:.1f} points {'above' if test.difference > 0 else 'below'} that of {other}"
        )
        limits = f"{100 * span[0]:+.1f} to {100 * span[1]:+.1f} points"
    return (
        f"{what} is {gap} (95 % interval of the difference {limits}; "
        f"{format_p_value(test.p_holm)} after Holm's correction)"
    )


def _where(table1: Table1) -> str:
    one_each = table1.subjects == table1.decisions
    what = f"on {table1.decisions:,} {'patients' if one_each else 'decisions'}"
    held_out = {
        "test": " held out for the test",
        "kfold": ", each held out once",
        "site": " at hospitals held out in turn",
    }
    return what + held_out.get(table1.split, "")


def format_p_value(p: float) -> str:
    """A p value as papers print it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _of(some: int, total: int) -> str:
    noun = "baseline" if total == 1 else "baselines"
    if total == 1:
        return "the one baseline" if some else "no baseline"
    if some == total:
        return f"all {total} {noun}"
    return f"{some or 'none'} of {total} {noun}"


def _first(text: str) -> str:
    return text[0].upper() + text[1:]


def _asked(table1: Table1, metric: str) -> bool:
    return any(t.verdict != "untested" for t in _baselines(table1, metric))


def _baselines(table1: Table1, metric: str) -> list[PairedTest]:
    return [
        t for t in table1.tests if t.metric == metric and not is_variant(t.model, table1.reference)
    ]
