import numpy as np
import pytest
import vector

from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.simulation.detector import Measured
from benchmarks.simulation.reconstruction import TOP_MASS, W_MASS, features


def two_body(parent, m1, m2, direction):
    """The two daughters of a decay, along `direction` in the parent's rest frame."""
    p = np.sqrt((parent.mass**2 - (m1 + m2) ** 2) * (parent.mass**2 - (m1 - m2) ** 2)) / (2 * parent.mass)
    x, y, z = p * np.asarray(direction) / np.linalg.norm(direction)
    return [vector.obj(px=s * x, py=s * y, pz=s * z, mass=m).boost_p4(parent) for s, m in ((1, m1), (-1, m2))]


@pytest.fixture(scope="module")
def top_pair():
    """A hand-made X -> t tbar of 700 GeV, as a perfect detector sees it."""
    top, anti = two_body(vector.obj(px=0.0, py=0.0, pz=0.0, mass=700.0), TOP_MASS, TOP_MASS, [1, 0.3, 0.2])
    b, w = two_body(top, 5.0, W_MASS, [0.2, 1, -0.4])
    lepton, neutrino = two_body(w, 0.0, 0.0, [0.5, 0.1, 1])
    other_b, other_w = two_body(anti, 5.0, W_MASS, [-0.3, 0.5, 1])
    jets = [b, other_b, *two_body(other_w, 0.0, 0.0, [1, -0.8, 0.3])]
    jets.sort(key=lambda jet: -jet.pt)
    return Measured(
        lepton=np.array([[lepton.pt, lepton.eta, lepton.phi]]),
        met=np.array([[neutrino.px, neutrino.py]]),
        jets=np.array([[*([jet.pt, jet.eta, jet.phi, jet.mass] for jet in jets), [0.0] * 4]]),
        tag=np.array([[*(jet is b or jet is other_b for jet in jets), False]]),
        index=np.array([0]),
    )


def test_masses_of_a_hand_made_top_pair(top_pair):
    repeated = Measured(*(np.repeat(value, 200, axis=0) for value in vars(top_pair).values()))
    x = features(repeated, np.random.default_rng(0))
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
