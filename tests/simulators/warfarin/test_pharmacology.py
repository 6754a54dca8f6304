"""The two warfarin worlds against a numerical solution of their published equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from posology.simulators.warfarin.pharmacology import (
    Patients,
    advance_day,
    bodies_2007,
    bodies_2010,
    draw_patients,
    measure_inr,
    true_inr,
    untreated_state,
)

DOSES = [5.0, 5.0, 10.0, 0.0, 0.0, 7.5, 5.0, 2.5, 2.5, 5.0, 5.0, 5.0]


def patients(count: int = 1, **columns) -> Patients:
    numbers = {"age": 71.0, "height": 170.0, "weight": 80.0, "amiodarone": 0.0, "inducer": 0.0}
    codes = {"cyp2c9": 0, "vkorc1": 0, "race": 0}
    filled = {k: np.full(count, columns.get(k, v)) for k, v in (numbers | codes).items()}
    return Patients(**{k: v.astype(np.int64 if k in codes else float) for k, v in filled.items()})


def simulated(bodies) -> list[float]:
    state, path = untreated_state(bodies), []
    for dose in DOSES:
        state = advance_day(bodies, state, np.full(len(bodies.rates), dose))
        path.append(float(true_inr(bodies, state)[0]))
    return path


def solved(equations, state, to_inr) -> list[float]:
    """The same days by scipy's solver; the dose is added to the first compartment."""
    path = []
    for dose in DOSES:
        state = state.copy()
        state[0] += dose / 2
        state = solve_ivp(equations, (0, 24), state, "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
        path.append(to_inr(state))
    return path


@pytest.mark.parametrize(
    ("age", "cyp2c9", "loss", "vkorc1", "ec50"),
    [(71.0, 0, 0.0, 0, 4.61), (50.0, 4, 0.690, 2, 2.20), (85.0, 2, 0.453, 1, 3.02)],
)
def test_the_first_world_solves_its_equations(age, cyp2c9, loss, vkorc1, ec50):
    clearance = 0.314 * (1 - 0.0091 * (age - 71)) * (1 - loss)

    def equations(_, y):
        gut, central, peripheral, chain, single = y[0], y[1], y[2], y[3:9], y[9]
        concentration = max(central, 0.0) / 13.8
        synthesis = 1 - concentration**0.424 / (ec50**0.424 + concentration**0.424)
        before = np.append(synthesis, chain[:-1])
        return np.concatenate(
            [
                [-2.0 * gut],
                [
                    0.9 * 2.0 * gut
                    - clearance * concentration
                    - 0.131 * (concentration - peripheral / 6.59)
                ],
                [0.131 * (concentration - peripheral / 6.59)],
                6 / 11.6 * (before - chain),
                [(synthesis - single) / 120],
            ]
        )

    start = np.concatenate([np.zeros(3), np.ones(7)])
    truth = solved(equations, start, lambda y: 1 + 20 * (1 - y[8] * y[9]) ** 3.61)
    bodies = bodies_2007(patients(age=age, cyp2c9=cyp2c9, vkorc1=vkorc1), None)
    assert np.allclose(simulated(bodies), truth, atol=0.01)


@pytest.mark.parametrize(
    ("age", "cyp2c9", "alleles", "vkorc1", "ec50"),
    [(71.0, 0, 2 * 0.174, 0, 4.10), (40.0, 5, 2 * 0.0422, 2, 1.92), (60.0, 1, 0.2619, 1, 3.01)],
)
def test_the_second_world_solves_its_equations(age, cyp2c9, alleles, vkorc1, ec50):
    clearance = alleles * (1 - 0.00571 * (age - 71))
    rate = clearance / 14.3

    def equations(_, y):
        amount, fast, slow = y[0], y[1:4], y[4:7]
        drive = max(rate * amount, 0.0) ** 1.15  # the dose rate, against EDK50 = EC50 * CL
        synthesis = 1 - drive / ((ec50 * clearance) ** 1.15 + drive)
        return np.concatenate(
            [
                [-rate * amount],
                3 / 28.6 * (np.append(synthesis, fast[:-1]) - fast),
                3 / 118.3 * (np.append(synthesis, slow[:-1]) - slow),
            ]
        )

    start = np.append(0.0, np.ones(6))
    truth = solved(equations, start, lambda y: 1 + 20 * (1 - (y[3] + y[6]) / 2))
    bodies = bodies_2010(patients(age=age, cyp2c9=cyp2c9, vkorc1=vkorc1), None)
    assert np.allclose(simulated(bodies), truth, atol=0.01)


@pytest.mark.parametrize(("world", "near"), [(bodies_2007, 1.86), (bodies_2010, 1.94)])
def test_five_milligrams_in_a_resistant_old_patient_stay_below_two(world, near):
    bodies = world(patients(), None)
    state = untreated_state(bodies)
    for _ in range(90):
        state = advance_day(bodies, state, np.array([5.0]))
    assert true_inr(bodies, state)[0] == pytest.approx(near, abs=0.02)


@pytest.mark.parametrize("world", [bodies_2007, bodies_2010])
def test_without_a_dose_nothing_happens(world):
    bodies = world(patients(20), np.random.default_rng(0))
    state = advance_day(bodies, untreated_state(bodies), np.zeros(20))
    assert np.allclose(true_inr(bodies, state), 1.0)


@pytest.mark.parametrize("world", [bodies_2007, bodies_2010])
def test_more_drug_and_more_sensitive_genes_mean_a_higher_inr(world):
    def after(dose: float, **genes: int) -> float:
        bodies = world(patients(**genes), None)
        state = untreated_state(bodies)
        for _ in range(20):
            state = advance_day(bodies, state, np.array([dose]))
        return float(true_inr(bodies, state)[0])

    assert after(6.0) > after(4.0)
    assert after(4.0, vkorc1=2) > after(4.0, vkorc1=1) > after(4.0)
    assert after(4.0, cyp2c9=5) > after(4.0, cyp2c9=1) > after(4.0)


def test_patients_are_drawn_whole():
    two = Patients(
        age=np.array([30.0, 80.0]),
        height=np.array([150.0, 190.0]),
        weight=np.array([50.0, 90.0]),
        cyp2c9=np.array([0, 5]),
        vkorc1=np.array([0, 2]),
        race=np.array([1, 2]),
        amiodarone=np.array([0.0, 1.0]),
        inducer=np.array([1.0, 0.0]),
    )
    drawn = draw_patients(two, 200, np.random.default_rng(0))
    old = drawn.age == 80
    assert 60 < old.sum() < 140
    assert np.array_equal(old, drawn.height == 190)
    assert np.array_equal(old, drawn.cyp2c9 == 5)
    assert np.array_equal(old, drawn.race == 2)


@pytest.mark.parametrize(("world", "spread"), [(bodies_2007, 0.0325), (bodies_2010, 0.20)])
def test_laboratories_err_as_the_papers_say(world, spread):
    bodies = world(patients(4_000), None)
    state = untreated_state(bodies)
    for _ in range(12):
        state = advance_day(bodies, state, np.full(4_000, 6.0))
    seen, true = measure_inr(bodies, state, np.random.default_rng(0)), true_inr(bodies, state)
    error = np.log(seen / true) if bodies.product else seen - true
    assert error.std() == pytest.approx(spread, rel=0.05)
    assert measure_inr(bodies, untreated_state(bodies), np.random.default_rng(1)).min() >= 0.8
