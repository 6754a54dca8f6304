"""From warfarin doses to INR by the models of Hamberg et al., vectorised over patients.

First model: Hamberg et al. 2007 (Clin Pharmacol Ther 81:529, doi:10.1038/sj.clpt.6100084), two
compartments. Second model: Hamberg et al. 2010 (doi:10.1038/clpt.2010.37), dose rate of a virtual
compartment. Constants as the papers' open re-implementations have them. Choices of ours, where
those differ or do not say: half the dose is S-warfarin and only it acts; bioavailability 0.9 in
2007 and 1 in 2010, whose clearance is apparent; spreads of 2007 are standard deviations of the
logarithm (one re-implementation takes them as variances), those of 2010 are variances; baseline
INR 1 for all. Neither model includes weight or amiodarone. Patients with real covariates and
simulated responses are semi-synthetic.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

HOURS = 24
CYP2C9 = ("*1/*1", "*1/*2", "*1/*3", "*2/*2", "*2/*3", "*3/*3")
VKORC1 = ("G/G", "A/G", "A/A")
"""-1639 G>A."""
RACES = ("white", "asian", "black", "other")

_CLEARANCE_LOSS = np.array([0.0, 0.315, 0.453, 0.722, 0.690, 0.852])  # 2007, by CYP2C9
_EC50_2007 = np.array([4.61, 3.02, 2.20])  # mg/L, by VKORC1
_CLEARANCE_2010 = np.array([0.174, 0.0879, 0.0422])  # L/h an allele, *1 *2 *3
_ALLELES = np.array([[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]])
_EC50_2010 = np.array([2 * 2.05, 2.05 + 0.96, 2 * 0.96])  # mg/L, the sum over two alleles
_NODES = 2 * HOURS + 1  # half hours of a day, both ends


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """Covariates before the first dose, one row per patient."""

    age: Float64[np.ndarray, " subject"]
    """Years."""
    height: Float64[np.ndarray, " subject"]
    """cm."""
    weight: Float64[np.ndarray, " subject"]
    """kg."""
    cyp2c9: Int64[np.ndarray, " subject"]
    """Row of CYP2C9."""
    vkorc1: Int64[np.ndarray, " subject"]
    """Row of VKORC1."""
    race: Int64[np.ndarray, " subject"]
    """Row of RACES."""
    amiodarone: Float64[np.ndarray, " subject"]
    """1 where taken."""
    inducer: Float64[np.ndarray, " subject"]
    """1 where carbamazepine, phenytoin or rifampicin is taken."""

    def __len__(self) -> int:
        return len(self.age)


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """Pharmacological parameters of each patient, in a form for both models.

    The drug's drive is a sum of exponentials, so every day is exact; it inhibits the synthesis
    of clotting factors by drive^g / (1 + drive^g), which passes through two chains of compartments.
    """

    rates: Float64[np.ndarray, "subject mode"]
    """Decay of each exponential, 1/h."""
    gains: Float64[np.ndarray, "subject mode"]
    """Drive added to each exponential by 1 mg of warfarin; drive 1 halves the synthesis."""
    steepness: float
    """g."""
    chain_rates: Float64[np.ndarray, "subject chain"]
    """1/h between the compartments of the fast and of the slow chain."""
    chain_lengths: tuple[int, int]
    product: bool
    """INR from the product of the chains' ends (2007), else from their mean (2010)."""
    noise: float
    """Standard deviation of a measured INR: of its logarithm (2007), of itself (2010)."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """State of the compartments at the beginning of a day."""

    drive: Float64[np.ndarray, "subject mode"]
    fast: Float64[np.ndarray, "subject compartment"]
    slow: Float64[np.ndarray, "subject compartment_two"]


def draw_patients(patients: Patients, count: int, rng: np.random.Generator) -> Patients:
    """Patients drawn with replacement, each with all covariates of one patient."""
    row = rng.integers(len(patients), size=count)
    return Patients(
        patients.age[row],
        patients.height[row],
        patients.weight[row],
        patients.cyp2c9[row],
        patients.vkorc1[row],
        patients.race[row],
        patients.amiodarone[row],
        patients.inducer[row],
    )


def bodies_2007(patients: Patients, rng: np.random.Generator | None) -> Bodies:
    """Parameters of the first model; without a generator, the typical values for the covariates."""
    spread = (0.310, 0.262, 0.991, 0.141, 1.02, 0.409)  # CL V1 V2 MTT1 MTT2 EC50, 2007
    own = _random_factors(len(patients), spread, rng)
    loss = 1 - _CLEARANCE_LOSS[patients.cyp2c9]
    clearance = 0.314 * (1 - 0.0091 * (patients.age - 71)) * loss * own[0]  # L/h
    central, peripheral = 13.8 * own[1], 6.59 * own[2]  # L
    absorption, exchange, bioavailable = 2.0, 0.131, 0.9  # 1/h, L/h
    out, over, back = clearance / central, exchange / central, exchange / peripheral
    half = (out + over + back) / 2
    root = np.sqrt(half**2 - out * back)
    quick, late = half + root, half - root
    mode = np.stack([quick, late, np.full(len(patients), absorption)], axis=1)
    others = [(1, 2), (0, 2), (0, 1)]
    share = [
        (back - mode[:, k]) / ((mode[:, i] - mode[:, k]) * (mode[:, j] - mode[:, k]))
        for k, (i, j) in enumerate(others)
    ]
    ec50 = _EC50_2007[patients.vkorc1] * own[5]
    dose = bioavailable / 2 * absorption / central / ec50
    chains = np.stack([6 / (11.6 * own[3]), 1 / (120.0 * own[4])], axis=1)
    return Bodies(
        mode, np.stack(share, axis=1) * dose[:, None], 0.424, chains, (6, 1), True, 0.0325
    )


def bodies_2010(patients: Patients, rng: np.random.Generator | None) -> Bodies:
    """Parameters of the second model, for tests outside the training distribution."""
    spread = tuple(np.sqrt([0.089, 0.054, 0.34, 0.589]))  # CL V EC50 KDE, variances in 2010
    own = _random_factors(len(patients), spread, rng)
    alleles = _CLEARANCE_2010[_ALLELES[patients.cyp2c9]].sum(axis=1)
    clearance = alleles * (1 - 0.00571 * (patients.age - 71)) * own[0]
    rate = clearance / (14.3 * own[1]) * own[3]  # KDE, 1/h
    ec50 = _EC50_2010[patients.vkorc1] * own[2]
    gain = rate / 2 / (clearance * ec50)
    chains = np.tile([3 / 28.6, 3 / 118.3], (len(patients), 1))
    return Bodies(rate[:, None], gain[:, None], 1.15, chains, (3, 3), False, 0.20)


def untreated_state(bodies: Bodies) -> State:
    """Before the first dose: no drug, every clotting factor at its baseline of 1."""
    n = len(bodies.rates)
    fast, slow = bodies.chain_lengths
    return State(np.zeros(bodies.rates.shape), np.ones((n, fast)), np.ones((n, slow)))


def advance_day(bodies: Bodies, state: State, dose: Float64[np.ndarray, " subject"]) -> State:
    """The state a day after a dose (mg) was taken at once.

    The drive is exact; its effect is averaged over each hour by Simpson's rule and passed through
    the chains exactly, so that INR agrees with a numerical solver to 0.01.
    """
    drive = state.drive + bodies.gains * dose[:, None]
    remaining = np.exp(-bodies.rates / 2)
    node, level = drive, np.empty((_NODES, len(dose)))
    for half_hour in range(_NODES):
        level[half_hour] = node.sum(axis=1)
        node = node * remaining
    inhibited = np.maximum(level, 0.0) ** bodies.steepness
    synthesis = 1 / (1 + inhibited)
    hourly = (synthesis[:-2:2] + 4 * synthesis[1:-1:2] + synthesis[2::2]) / 6
    return State(
        drive * np.exp(-bodies.rates * HOURS),
        _pass(state.fast, bodies.chain_rates[:, 0], hourly),
        _pass(state.slow, bodies.chain_rates[:, 1], hourly),
    )


def true_inr(bodies: Bodies, state: State) -> Float64[np.ndarray, " subject"]:
    """INR without measurement error."""
    fast, slow = state.fast[:, -1], state.slow[:, -1]
    if bodies.product:
        return 1 + 20 * np.maximum(1 - fast * slow, 0.0) ** 3.61
    return 1 + 20 * (1 - (fast + slow) / 2)


def measure_inr(
    bodies: Bodies, state: State, rng: np.random.Generator
) -> Float64[np.ndarray, " subject"]:
    """INR with measurement error, at least 0.8 (our choice)."""
    error = bodies.noise * rng.normal(size=len(bodies.rates))
    true = true_inr(bodies, state)
    return np.maximum(true * np.exp(error) if bodies.product else true + error, 0.8)


def _random_factors(
    count: int, spreads: tuple[float, ...], rng: np.random.Generator | None
) -> Float64[np.ndarray, "parameter subject"]:
    """Log-normal factors of variation between patients."""
    if rng is None:
        return np.ones((len(spreads), count))
    return np.exp(np.array(spreads)[:, None] * rng.normal(size=(len(spreads), count)))


def _pass(
    chain: Float64[np.ndarray, "subject compartment"],
    rate: Float64[np.ndarray, " subject"],
    hourly: Float64[np.ndarray, "hour subject"],
) -> Float64[np.ndarray, "subject compartment"]:
    """A chain of equal first-order compartments, exact for an input constant within each hour.

    The number of moves within an hour is Poisson distributed with mean rate * 1 h.
    """
    length = chain.shape[1]
    moved = [np.exp(-rate)]
    for k in range(1, length):
        moved.append(moved[-1] * rate / k)
    replaced = 1 - np.cumsum(moved, axis=0)  # share of compartment k that is new input
    column = list(chain.T)
    for level in hourly:
        column = [
            sum(moved[k - i] * column[i] for i in range(k + 1)) + replaced[k] * level
            for k in range(length)
        ]
    return np.stack(column, axis=1)
