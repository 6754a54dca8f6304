"""What the page and the terminal say alike about pooled effects."""

from posology.evaluation.intervals import Z_95, Difference
from posology.evaluation.pooling.pool import HospitalEffect, PooledEffect, PooledStudy
from posology.report.text import Scale, format_number, format_p, format_share


def effect_scale(effect: PooledEffect) -> Scale:
    """Percentage points of probabilities, else the outcome's own unit."""
    return Scale(effect.outcome.unit, 100.0 if effect.outcome.is_binary else 1.0)


def hospital_difference(hospital: HospitalEffect) -> Difference:
    """The effect in one hospital with its own 95 % interval."""
    half = Z_95 * hospital.standard_error
    return Difference(hospital.effect, hospital.effect - half, hospital.effect + half, float("nan"))


def describe_scope(study: PooledStudy) -> str:
    """Hospitals and patients."""
    patients = [summary.analysed for summary in study.summaries]
    known = sum(count for count in patients if count is not None)
    more = "" if None not in patients else "at least "
    return (
        f"{study.summaries[0].study.title}: {len(study.hospitals)} hospitals, {more}{known:,} "
        "patients."
    )


def describe_heterogeneity(effect: PooledEffect, scale: Scale) -> str:
    """Tau, I squared and Cochran's Q."""
    pooled = effect.pooled
    if pooled is None:
        return ""
    ends = [scale.factor * t for t in (pooled.tau, pooled.tau_low, pooled.tau_high)]
    tau, low, high = (f"{t:.1f}" if effect.outcome.is_binary else format_number(t) for t in ends)
    return (
        f"Between hospitals: standard deviation {tau} ({low} to {high}), "
        f"I²\u00a0{format_share(pooled.i_squared)}, Q {pooled.q:.1f} with "
        f"{len(effect.hospitals) - 1} degrees, {format_p(pooled.q_p)}."
    )
