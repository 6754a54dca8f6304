from importlib.util import find_spec

import numpy as np
import pytest

from posology.causal.restricted_mean import restricted_mean_time
from posology.datasets import trials
from posology.errors import UserError

lifelines = pytest.mark.skipif(find_spec("lifelines") is None, reason="lifelines holds the data")
causallib = pytest.mark.skipif(find_spec("causallib") is None, reason="causallib holds the data")


@lifelines
def test_actg175_has_its_published_arms() -> None:
    """Sizes: Hammer 1996, table 1, without those dropped by the package (2,139 of 2,467)."""
    arms = trials.actg175()
    assert np.bincount(arms.treatment).tolist() == [532, 522, 524, 561]
    assert arms.outcome[arms.treatment == 0].mean() == pytest.approx(336.1, abs=0.1)
    assert not np.isnan(arms.covariates).any()
    assert set(arms.names).isdisjoint({"cd420", "cd496", "cd820", "days", "cens", "arms", "offtrt"})


@lifelines
def test_gbsg_has_its_published_women() -> None:
    """Sauerbrei and Royston 1999: 686 women, 299 events, 246 given hormones."""
    arms = trials.gbsg()
    assert arms.time is not None
    assert arms.event is not None
    assert (len(arms.time), int(arms.event.sum()), int(arms.treatment.sum())) == (686, 299, 246)
    assert np.isnan(arms.outcome).all()
    given = arms.treatment == 1
    months = [restricted_mean_time(arms.time[m], arms.event[m], 60.0) for m in (~given, given)]
    assert months == pytest.approx([41.55, 46.46], abs=0.01)


@causallib
def test_acic_is_simulated_on_4802_patients() -> None:
    arms = trials.acic2016(3)
    assert arms.covariates.shape == (4802, 82)
    assert arms.expected is not None
    noise = arms.outcome - arms.expected[np.arange(4802), arms.treatment]
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(4802)
    assert not np.isnan(arms.covariates).any()


def test_an_unknown_instance_and_a_missing_package_are_named() -> None:
    with pytest.raises(UserError, match="instance 11"):
        trials.acic2016(11)
    with pytest.raises(UserError, match="pip install --no-deps no-such-package"):
        trials._rows("no-such-package", "x.csv")
