"""Replace embedding vectors by their principal components, fitted on the training split."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.cohorts.events.stream import EventStream, event_order
from posology.domain.cohort import TRAIN
from posology.domain.embedding_components import EMBEDDING, EmbeddingReduction
from posology.errors import RecordError


def fit_reductions(
    events: EventStream, decided: DecisionTable, components: int
) -> tuple[EmbeddingReduction, ...]:
    """Principal components of each model's vectors.

    Fitted on the vectors that are visible to the training subjects' decisions; a model without any
    has no reduction.
    """
    is_train = _is_train_event(events, decided)
    models = sorted({c.rpartition("//")[0] for c in events.codes if c.startswith(f"{EMBEDDING}//")})
    fitted = []
    for model in models:
        dimension = 1 + max(int(c[len(model) + 2 :]) for c in _codes(events, model))
        first, vectors = _vectors(events, model, dimension)
        if is_train[first].any():
            fitted.append(fit_components(vectors, is_train[first], components, model))
    return tuple(fitted)


def reduce_embeddings(
    events: EventStream, reductions: tuple[EmbeddingReduction, ...]
) -> EventStream:
    """Replace each vector by its components, at the same time; other events stay.

    Several vectors of one model at one time (views of one study) are averaged. RecordError if part
    of a vector is missing.
    """
    for reduction in reductions:
        events = _replace_vectors(events, reduction)
    return events


def fit_components(
    vectors: Float64[np.ndarray, "row dimension"],
    train: Bool[np.ndarray, " row"],
    components: int,
    model: str = EMBEDDING,
) -> EmbeddingReduction:
    """Principal components (Pearson 1901) of the training rows, by singular value decomposition.

    At most as many components as training rows and dimensions.
    """
    chosen = vectors[train]
    if not len(chosen) or not np.isfinite(chosen).all():
        raise ValueError("principal components need training rows, and finite numbers in them")
    center = chosen.mean(axis=0)
    _, singular, axes = np.linalg.svd(chosen - center, full_matrices=False)
    keep = min(components, len(axes))
    # The sign of an axis is arbitrary: make its largest entry positive, so that fits agree.
    largest = np.abs(axes[:keep]).argmax(axis=1)
    signs = np.sign(axes[np.arange(keep), largest])
    total = float((singular**2).sum())
    share = singular[:keep] ** 2 / total if total > 0 else np.zeros(keep)
    return EmbeddingReduction(
        model, center, axes[:keep] * np.where(signs == 0, 1.0, signs)[:, None], share
    )


def project_vectors(
    reduction: EmbeddingReduction, vectors: Float64[np.ndarray, "row dimension"]
) -> Float64[np.ndarray, "row component"]:
    """The rows' coordinates on the components."""
    return (vectors - reduction.center) @ reduction.components.T


def _is_train_event(events: EventStream, decided: DecisionTable) -> Bool[np.ndarray, " event"]:
    """Whether each event is of a training subject, up to its last decision."""
    is_train = decided.split == TRAIN
    subjects, row = np.unique(decided.subject_id[is_train], return_inverse=True)
    if not len(subjects):
        return np.zeros(len(events.code), dtype=bool)
    last = np.full(len(subjects), -np.inf)
    np.maximum.at(last, row, decided.time[is_train])
    row = np.minimum(np.searchsorted(subjects, events.subject_id), len(subjects) - 1)
    is_known = subjects[row] == events.subject_id
    return is_known & (np.isnan(events.time) | (events.time <= last[row]))


def _codes(events: EventStream, model: str) -> list[str]:
    return [c for c in events.codes if c.startswith(f"{model}//")]


def _vectors(
    events: EventStream, model: str, dimension: int
) -> tuple[Int64[np.ndarray, " vector"], Float64[np.ndarray, "vector dimension"]]:
    """First event of each vector, and the vectors."""
    wanted = np.full(len(events.codes), -1)
    number = {code: row for row, code in enumerate(events.codes)}
    for code in _codes(events, model):
        wanted[number[code]] = int(code[len(model) + 2 :])
    at = np.flatnonzero(wanted[events.code] >= 0)
    time = np.nan_to_num(events.time[at], nan=-np.inf)
    new = np.ones(len(at), dtype=bool)
    new[1:] = (np.diff(events.subject_id[at]) != 0) | (time[1:] != time[:-1])
    first = at[new]
    place = (np.cumsum(new) - 1) * dimension + wanted[events.code[at]]
    count = np.bincount(place, minlength=len(first) * dimension)
    total = np.bincount(place, events.value[at], len(first) * dimension)
    with np.errstate(invalid="ignore"):
        vectors = (total / count).reshape(len(first), dimension)
    incomplete = np.flatnonzero(np.isnan(vectors).any(axis=1))
    if len(incomplete):
        present = int((~np.isnan(vectors[incomplete[0]])).sum())
        raise RecordError(
            f"subject {events.subject_id[first[incomplete[0]]]}: a vector of {model} holds "
            f"{present} of its {dimension} numbers; give all of them, or remove the vector."
        )
    return first, vectors


def _replace_vectors(events: EventStream, reduction: EmbeddingReduction) -> EventStream:
    unknown = set(_codes(events, reduction.model)) - set(reduction.inputs)
    if unknown:
        raise RecordError(
            f"{min(unknown)}: vectors of {reduction.model} have {len(reduction.center)} numbers, "
            "0000 the first; was this made by another model?"
        )
    first, vectors = _vectors(events, reduction.model, len(reduction.center))
    coordinates = project_vectors(reduction, vectors).astype(np.float32)
    renew_code = set(reduction.inputs)
    stays = np.array([c not in renew_code for c in events.codes], dtype=bool)
    other = np.flatnonzero(stays[events.code])
    names = [c for c in events.codes if c not in renew_code]
    codes = tuple(sorted({*names, *reduction.outputs}))
    number = {code: row for row, code in enumerate(codes)}
    new_code = np.array([number.get(c, -1) for c in events.codes], dtype=np.int32)
    new = np.array([number[c] for c in reduction.outputs], dtype=np.int32)
    rows = np.concatenate([other, np.repeat(first, len(new))])
    code = np.concatenate([new_code[events.code[other]], np.tile(new, len(first))])
    value = np.concatenate([events.value[other], coordinates.ravel()])
    subject, time = events.subject_id[rows], events.time[rows]
    order = event_order(subject, time, code, value)
    return EventStream(subject[order], time[order], code[order], value[order], codes)
