"""The examples of CONTRIBUTING.md do what it says."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from scipy.stats import norm

import neos_tf
import taylor
from benchmarks import experiment as experiments
from taylor.rules import RULES


def example(name: str) -> dict:
    """What the code of an example defines."""
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(rf"^<!-- example: {name} -->\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    defined = {"__name__": "example"}
    exec(code, defined)
    return defined


@pytest.fixture
def layers():
    defined = example("layer rule")
    yield defined["Gain"], defined["Sine"]
    for layer in (defined["Gain"], defined["Sine"]):
        del RULES[layer]


def test_a_layer_with_a_rule_is_taken_by_the_fast_engine(layers):
    gain, sine = (layer() for layer in layers)
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(1, "sigmoid")(sine(keras.layers.Dense(4)(gain(x)))))
    gain.set_weights([np.array([0.5, 1.0, 2.0])])
    events = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    fast, slow = (taylor.taylor_coefficients(model, events, engine=engine) for engine in ("adjoint", "autodiff"))
    np.testing.assert_allclose(fast.values, slow.values, rtol=1e-4, atol=1e-6)  # float32, in two orders
    assert np.abs(fast.second).max() > 1e-3
    assert fast.engine == "adjoint"  # which would have refused a layer without a rule


def test_a_loss_has_the_value_it_says_a_gradient_and_a_config():
    loss = example("loss")["TotalVarianceLoss"](("mu", "correlated_bkg_uncertainty"))
    model = neos_tf.correlated_background(3)
    templates = {
        "signal": [2.0, 4.0, 9.0],
        "background": [50.0, 40.0, 30.0],
        "background_up": [54.0, 41.0, 30.0],
        "background_down": [47.0, 39.0, 30.0],
    }
    templates = {name: tf.constant(values, tf.float64) for name, values in templates.items()}

    def value(shift):
        return loss.of_likelihood(model.bind(templates | {"signal": templates["signal"] + shift})).value

    shift, h = tf.constant(0.0, tf.float64), 1e-4  # truncation of order h^2, rounding of 1e-14 / h
    with tf.GradientTape() as tape:
        tape.watch(shift)
        total = value(shift)
    np.testing.assert_allclose(tape.gradient(total, shift), (value(h) - value(-h)) / (2 * h), rtol=1e-6)
    likelihood = model.bind(templates)
    assert loss.of_likelihood(likelihood).converged
    np.testing.assert_allclose(total, np.sum(neos_tf.uncertainties(likelihood) ** 2), rtol=1e-12)  # of both parameters
    stored = keras.saving.serialize_keras_object(loss)
    assert keras.saving.deserialize_keras_object(stored) == loss


def test_an_experiment_runs_and_says_what_it_claims(tmp_path, monkeypatch):
    made = example("experiment")["EXPERIMENT"]
    monkeypatch.setattr(experiments, "find", lambda name: made)
    said = experiments.read(experiments.run(made, "embedded", (1, 2), tmp_path, Console(quiet=True)))
    assert said.missing == () and [judged.verdict for judged in said.claims] == ["holds"]
    (table,), ((_, figure),) = said.tables, said.figures
    assert [name for name, _ in table.lines] == ["sharp", "smeared"] and table.columns == ("0.5", "1", "2")
    sharp = [cell.ours for cell in table.lines[0][1]]
    exact = [100 * norm.cdf(1 / (width * 2**0.5)) for width in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(sharp, exact, atol=1.5)  # two samples of 5000 and 5000: three errors of an AUC
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), sharp)
