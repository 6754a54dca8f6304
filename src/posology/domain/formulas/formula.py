"""Published dosing formulas as data: a linear predictor of facts, with a link."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.domain.codes import matching_rows, rows_by_prefix
from posology.domain.history import History, StepIndex, code_finder, has_code, latest_value


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the linear predictor.

    kind `value`: the latest number of the codes; `any`: 1 if one of the codes is present, else 0;
    `none`: 1 if none is, else 0; `one`: the constant 1.
    """

    name: str
    kind: str
    codes: tuple[str, ...]
    coefficient: float


@dataclass(frozen=True, slots=True)
class Fill:
    """Imputed value of a missing number: the training mean among patients with the same codes."""

    term: str
    group: tuple[str, ...]
    """Codes that are all present; the empty group is every patient and comes last."""
    mean: float


@dataclass(frozen=True, slots=True)
class Formula:
    """Sum of the terms; with link `sqrt` the dose is the square of the sum."""

    name: str
    source: str
    unit: str
    link: str
    terms: tuple[Term, ...]
    fill: tuple[Fill, ...] = ()

    @property
    def event(self) -> str:
        """Code of the event that holds the formula's result."""
        return f"FORMULA//{self.name}"


def evaluate_formula(
    formula: Formula, history: History, decisions: StepIndex, vocabulary: tuple[str, ...]
) -> Float64[np.ndarray, " decision"]:
    """The formula's dose, in its unit; NaN if a number is missing and has no imputed value."""
    return _dose(formula, design_matrix(formula, history, decisions, vocabulary))


def _dose(
    formula: Formula,
    X: Float64[np.ndarray, "decision term"],  # noqa: N803
) -> Float64[np.ndarray, " decision"]:
    total = X @ np.array([term.coefficient for term in formula.terms])
    return np.maximum(total, 0.0) ** 2 if formula.link == "sqrt" else total


def design_matrix(
    formula: Formula, history: History, decisions: StepIndex, vocabulary: tuple[str, ...]
) -> Float64[np.ndarray, "decision term"]:
    """The terms' values without coefficients; missing numbers are imputed."""
    X = _recorded(formula, history, decisions, vocabulary)
    return _filled(formula, X, history, decisions, vocabulary)


def _recorded(
    formula: Formula, history: History, decisions: StepIndex, vocabulary: tuple[str, ...]
) -> Float64[np.ndarray, "decision term"]:
    """The terms' values; NaN where a number is missing."""
    X, rows = np.ones((len(decisions), len(formula.terms))), rows_by_prefix(vocabulary)
    is_present = code_finder(history, decisions)
    for column, term in enumerate(formula.terms):
        if term.kind == "value":
            X[:, column] = latest_value(history, decisions, rows(term.codes))
        elif term.kind != "one":
            X[:, column] = is_present(rows(term.codes)) == (term.kind == "any")
    return X


def _filled(
    formula: Formula,
    X: Float64[np.ndarray, "decision term"],  # noqa: N803
    history: History,
    decisions: StepIndex,
    vocabulary: tuple[str, ...],
) -> Float64[np.ndarray, "decision term"]:
    missing, present, rows_of = np.isnan(X), {}, rows_by_prefix(vocabulary)
    is_present = code_finder(history, decisions)
    incomplete = np.flatnonzero(missing.any(axis=0)).tolist()
    column_of = {formula.terms[column].name: column for column in incomplete}
    for fill in formula.fill:
        column = column_of.get(fill.term)
        if column is None:
            continue
        rows = missing[:, column]
        for code in fill.group:
            if code not in present:
                present[code] = is_present(rows_of((code,)))
            rows = rows & present[code]
        if not rows.any():
            continue
        X[rows, column] = fill.mean
        missing[rows, column] = False
    return X


def evaluate_for_patient(
    formula: Formula,
    history: History,
    decision: StepIndex,
    vocabulary: tuple[str, ...],
    beside: tuple[str, ...] = (),
) -> tuple[float, tuple[tuple[Term, float], ...]]:
    """The formula's dose for one patient, and the terms that nothing recorded tells.

    Each such term has what is taken for it. A missing number is the imputed one; of a code that is
    one of several values of a fact, such as a race, nothing is known where the patient has none of
    the values, and it is taken as absent. A term of its own for an unknown fact has the value 1.

    beside: codes of facts that the patient has and the vocabulary does not: a formula counts a
    medicine although no training patient took it.
    """
    X, rows = _recorded(formula, history, decision, vocabulary), rows_by_prefix(vocabulary)
    for column, term in enumerate(formula.terms):
        if term.kind in ("any", "none") and set(term.codes) & set(beside):
            X[0, column] = term.kind == "any"
    given = {code.rpartition("//")[0] for code in beside}
    is_present = code_finder(history, decision)
    bare, filled = X[0], _filled(formula, X.copy(), history, decision, vocabulary)
    none = [code for term in formula.terms if term.kind == "none" for code in term.codes]
    covered = {*none, *(code.rpartition("//")[0] for code in none)}
    assumed = []
    for term, without, value in zip(formula.terms, bare, filled[0], strict=True):
        if term.kind == "value" and np.isnan(without) and not np.isnan(value):
            assumed.append((term, float(value)))
        elif term.kind == "none" and value:
            assumed.append((term, 1.0))
        elif term.kind == "any":
            facts = tuple(dict.fromkeys(code.rpartition("//")[0] or code for code in term.codes))
            if not (covered | given) & set(facts) and not is_present(rows(facts))[0]:
                assumed.append((term, 0.0))
    return float(_dose(formula, filled)[0]), tuple(assumed)


def fit_fill_values(
    formula: Formula,
    groups: tuple[tuple[str, ...], ...],
    history: History,
    decisions: StepIndex,
    vocabulary: tuple[str, ...],
) -> Formula:
    """The formula with imputed values from these patients: their means, group by group."""
    without_fill = replace(formula, fill=())
    X = design_matrix(without_fill, history, decisions, vocabulary)
    fills = []
    for group in (*groups, ()):
        member = np.ones(len(decisions), dtype=bool)
        for code in group:
            member &= has_code(history, decisions, matching_rows(vocabulary, (code,)))
        for column, term in enumerate(formula.terms):
            known = X[member, column][~np.isnan(X[member, column])]
            if term.kind == "value" and len(known):
                fills.append(Fill(term.name, group, float(known.mean())))
    return replace(formula, fill=tuple(fills))


def refit_formula(
    formula: Formula,
    history: History,
    decisions: StepIndex,
    vocabulary: tuple[str, ...],
    dose: Float64[np.ndarray, " decision"],
) -> Formula:
    """The same terms and link, with least-squares coefficients on these patients.

    A small ridge penalty (1e-6) sets the coefficients of terms that no patient has to 0.
    """
    X = design_matrix(formula, history, decisions, vocabulary)
    y = np.sqrt(dose) if formula.link == "sqrt" else dose
    known = ~np.isnan(y) & ~np.isnan(X).any(axis=1)
    A, b = X[known], y[known]
    coefficients = np.linalg.solve(A.T @ A + 1e-6 * np.eye(A.shape[1]), A.T @ b)
    terms = tuple(
        replace(term, coefficient=float(c))
        for term, c in zip(formula.terms, coefficients, strict=True)
    )
    return replace(formula, name=f"{formula.name}_refit", terms=terms)
