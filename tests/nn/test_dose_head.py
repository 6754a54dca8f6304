"""Dose-response curves."""

import torch

from posology.nn.dose_head import COEFFICIENTS, DoseCurves, mean_log_dose
from posology.nn.treatment_history import TreatmentCodes

LEVELS = ((1.0, 2.0, 4.0), (10.0,), (5.0, 20.0))


def _curves() -> DoseCurves:
    torch.manual_seed(0)
    return DoseCurves(TreatmentCodes((-1, 0, 1, 2), (0,), ()), 6, LEVELS, 2)


def test_the_target_distance_adds_to_the_logit_by_its_scale() -> None:
    curves = _curves()
    curve = torch.randn(5, 2, 3, COEFFICIENTS)
    log_dose = torch.randn(5, 3)
    curves.scale.data = torch.tensor([1.0, 2.0, 0.5])
    logit, distance = curves.evaluate(curve, log_dose)
    s = log_dose[3, 2]
    level, slope, bend, d0, d1, d2 = curve[3, 1, 2]
    expected = d0 + d1 * s + d2 * s * s
    assert torch.isclose(distance[3, 1, 2], expected)
    assert torch.isclose(logit[3, 1, 2], level + slope * s + bend * s * s + 0.5 * expected)


def test_the_best_dose_is_the_best_of_all_levels() -> None:
    curves = _curves()
    curve = torch.randn(20, 2, 3, COEFFICIENTS)
    logit, _, chosen = curves.evaluate_best(curve)
    for treatment, doses in enumerate(LEVELS):
        logits = []
        for dose in doses:
            log_dose = torch.zeros(20, 3)
            log_dose[:, treatment] = torch.tensor(dose).log2() - mean_log_dose(doses)
            logits.append(curves.evaluate(curve, log_dose)[0][:, :, treatment])
        p = torch.stack([torch.sigmoid(x).mean(1) for x in logits], -1)
        best = p.argmax(-1)
        torch.testing.assert_close(p.gather(1, best[:, None]), p.gather(1, chosen[:, [treatment]]))
        torch.testing.assert_close(torch.sigmoid(logit[:, :, treatment]).mean(1), p.max(-1).values)
