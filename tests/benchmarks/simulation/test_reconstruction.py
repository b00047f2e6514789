import numpy as np
import pytest

from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.simulation.detector import Measured
from benchmarks.simulation.reconstruction import TOP_MASS, W_MASS, features


def two_body(mass, m1, m2, direction):
    """Decay at rest: the two four-momenta (E, x, y, z) along `direction`."""
    p = np.sqrt((mass**2 - (m1 + m2) ** 2) * (mass**2 - (m1 - m2) ** 2)) / (2 * mass)
    unit = np.asarray(direction) / np.linalg.norm(direction)
    return np.array([np.hypot(p, m1), *(p * unit)]), np.array([np.hypot(p, m2), *(-p * unit)])


def boost(momentum, beta):
    beta = np.asarray(beta, float)
    gamma = 1 / np.sqrt(1 - beta @ beta)
    along = beta @ momentum[1:]
    energy = gamma * (momentum[0] + along)
    return np.array([energy, *(momentum[1:] + beta * (gamma**2 / (gamma + 1) * along + gamma * momentum[0]))])


def detector_coordinates(p):
    pt = np.hypot(p[1], p[2])
    mass = np.sqrt(max(p[0] ** 2 - p[1:] @ p[1:], 0))
    return [pt, np.arcsinh(p[3] / pt), np.arctan2(p[2], p[1]), mass]


@pytest.fixture(scope="module")
def top_pair():
    """A hand-made X -> t tbar of 700 GeV; returns what a perfect detector sees, and the neutrino."""
    top, anti = two_body(700.0, TOP_MASS, TOP_MASS, [1, 0.3, 0.2])
    objects = {}
    for name, parent, b_direction, w_direction in (
        ("leptonic", top, [0.2, 1, -0.4], [0.5, 0.1, 1]),
        ("hadronic", anti, [-0.3, 0.5, 1], [1, -0.8, 0.3]),
    ):
        b, w = (boost(p, parent[1:] / parent[0]) for p in two_body(TOP_MASS, 5.0, W_MASS, b_direction))
        first, second = (boost(p, w[1:] / w[0]) for p in two_body(W_MASS, 0.0, 0.0, w_direction))
        objects[name] = (b, first, second)
    lepton, neutrino = objects["leptonic"][1:]
    jets = [objects["leptonic"][0], *objects["hadronic"]]
    jets = sorted(jets, key=lambda p: -np.hypot(p[1], p[2]))
    tag = [any(p is objects[side][0] for side in objects) for p in jets]
    table = np.array([detector_coordinates(p) for p in jets] + [[0.0] * 4])
    measured = Measured(
        lepton=np.array([detector_coordinates(lepton)[:3]]),
        met=neutrino[None, 1:3],
        jets=table[None],
        tag=np.array([[*tag, False]]),
        index=np.array([0]),
    )
    return measured


def repeated(measured, n):
    return Measured(**{name: np.repeat(value, n, axis=0) for name, value in vars(measured).items()})


def test_masses_of_a_hand_made_top_pair(top_pair):
    x = features(repeated(top_pair, 200), np.random.default_rng(0))
    column = dict(zip(FEATURE_NAMES, x.T, strict=True))
    np.testing.assert_allclose(column["m_jj"], W_MASS, rtol=1e-5)  # float32
    np.testing.assert_allclose(column["m_jjj"], TOP_MASS, rtol=1e-5)
    # pz is one of two solutions, with a jitter of 1 GeV: around the W's mass for both, X's and the top's for one.
    np.testing.assert_allclose(np.median(column["m_lv"]), W_MASS, atol=1)
    right = abs(column["m_wwbb"] - 700) < 5
    assert 0.3 < right.mean() < 0.7
    assert np.median(column["m_jlv"][right]) == pytest.approx(TOP_MASS, abs=2)


def test_features_are_in_the_official_order(top_pair):
    x = features(top_pair, np.random.default_rng(0))[0]
    assert x.shape == (27,) and x.dtype == np.float32
    column = dict(zip(FEATURE_NAMES, x, strict=True))
    np.testing.assert_allclose(x[:3], top_pair.lepton[0], rtol=1e-6)
    assert column["met"] == pytest.approx(np.hypot(*top_pair.met[0]), rel=1e-6)
    assert column["n_jets"] == 4
    for k in range(4):
        np.testing.assert_allclose(x[6 + 4 * k : 9 + 4 * k], top_pair.jets[0, k, :3], rtol=1e-6)
        assert x[9 + 4 * k] == top_pair.tag[0, k]


def test_complex_neutrino_solution_takes_the_leptons_eta():
    """A transverse mass above the W's: m_lv is the transverse mass, which has the closed form below."""
    jets = np.zeros((1, 5, 4))
    jets[0, :4] = [[90, 0, 0, 5], [80, 1, 2, 5], [70, -1, 4, 5], [60, 0, 5, 5]]
    measured = Measured(
        np.array([[60.0, 0.7, 0.0]]), np.array([[-70.0, 0.0]]), jets, np.array([[True, True, False, False, False]]), [0]
    )
    x = features(measured, np.random.default_rng(0))[0]
    assert x[FEATURE_NAMES.index("m_lv")] == pytest.approx(np.sqrt(2 * 60 * 70 * (1 - np.cos(np.pi))), rel=1e-5)
