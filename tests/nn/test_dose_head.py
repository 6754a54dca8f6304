"""Curves of the dose."""

import torch

from posology.nn.dose_head import COEFFICIENTS, DoseCurves, mean_log_dose
from posology.nn.treatment_history import TreatmentCodes

LEVELS = ((1.0, 2.0, 4.0), (10.0,), (5.0, 20.0))


def _curves() -> DoseCurves:
    torch.manual_seed(0)
    return DoseCurves(TreatmentCodes((-1, 0, 1, 2), (0,), ()), 6, LEVELS, 2)


def test_a_margin_adds_to_the_logit_by_its_scale() -> None:
    curves = _curves()
    curve = torch.randn(5, 2, 3, COEFFICIENTS)
    shift = torch.randn(5, 3)
    curves.scale.data = torch.tensor([1.0, 2.0, 0.5])
    logit, margin = curves.evaluate(curve, shift)
    s = shift[3, 2]
    level, slope, bend, m0, m1, m2 = curve[3, 1, 2]
    assert torch.isclose(margin[3, 1, 2], m0 + m1 * s + m2 * s * s)
    assert torch.isclose(logit[3, 1, 2], level + slope * s + bend * s * s + 0.5 * margin[3, 1, 2])


def test_the_best_dose_is_the_one_a_search_over_levels_finds() -> None:
    curves = _curves()
    curve = torch.randn(20, 2, 3, COEFFICIENTS)
    logit, _, chosen = curves.evaluate_best(curve)
    for option, doses in enumerate(LEVELS):
        asked = []
        for dose in doses:
            shift = torch.zeros(20, 3)
            shift[:, option] = torch.tensor(dose).log2() - mean_log_dose(doses)
            asked.append(curves.evaluate(curve, shift)[0][:, :, option])
        p = torch.stack([torch.sigmoid(a).mean(1) for a in asked], -1)
        best = p.argmax(-1)
        torch.testing.assert_close(p.gather(1, best[:, None]), p.gather(1, chosen[:, [option]]))
        torch.testing.assert_close(torch.sigmoid(logit[:, :, option]).mean(1), p.max(-1).values)
