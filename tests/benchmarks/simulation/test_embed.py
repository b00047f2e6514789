"""What is embedded, from simulations that are replaced by drawn events and note what they were asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES
from benchmarks.data.hepmass_like import load_hepmass_like, read_recipe
from benchmarks.simulation import command
from benchmarks.simulation import embed as embedding


@pytest.fixture
def asked(monkeypatch):
    """The calls of `simulate`, each with its arguments by name."""
    calls = []

    def drawn(recipe, n_events, directory, *, signal_only=False, **options):
        calls.append({"recipe": recipe, "n": n_events, "directory": directory, "signal_only": signal_only, **options})
        generator = np.random.default_rng(recipe.seed)
        label = np.ones(n_events, int) if signal_only else np.resize([0, 1], n_events)
        theta = generator.uniform(*recipe.masses, n_events) if recipe.continuous else np.resize(recipe.masses, n_events)
        features = generator.integers(0, 2, (n_events, 27)).astype(float)
        return Events(features, theta, label, names=FEATURE_NAMES, process_names=PROCESS_NAMES)

    monkeypatch.setattr(embedding, "simulate", drawn)
    return calls


def test_all_samples_are_made_of_five_simulations(asked, tmp_path):
    recipes = list(embedding.embed(3000, 7, lambda name, recipe: Path(name), folder=tmp_path))
    assert [[file["name"] for file in recipe["files"].values()] for recipe in recipes] == [
        ["hepmass_like_train.parquet", "hepmass_like_test.parquet"],
        ["hepmass_like_jes_train.parquet", "hepmass_like_jes_test.parquet"],
        ["hepmass_like_between_train.parquet", "hepmass_like_between_test.parquet"],
        ["hepmass_like_continuous_train.parquet"],
    ]
    seeds = {str(call["directory"]): call["recipe"].seed for call in asked}
    assert seeds == {"train": 7, "test": 8, "continuous": 9, "between_train": 10, "between_test": 11}
    shares = {(None, "train"): 2000, (None, "test"): 1000, ("jes", "train"): 1000, ("jes", "test"): 600}
    shares |= {("between", "train"): 500, ("between", "test"): 300, ("continuous", "train"): 500}
    for (variant, split), n_events in shares.items():
        assert len(load_hepmass_like(split, variant=variant, folder=tmp_path)) == n_events
    signal_only = {str(call["directory"]) for call in asked if call["signal_only"]}
    assert signal_only == {"between_train", "between_test", "continuous"}
    settings = read_recipe("continuous", tmp_path)["settings"]
    assert settings["collisions"]["train"]["seed"] == 9 and list(settings["pythia"]) == ["signal at 1000 GeV"]
    assert read_recipe("continuous", tmp_path)["hypotheses"] is None
    assert json.dumps(recipes[1]["settings"]).count("1.05") == 1


def test_each_jet_energy_scale_has_collisions_and_a_detector_of_its_own(asked, tmp_path):
    list(embedding.embed(3000, 7, lambda name, recipe: Path(name), folder=tmp_path))
    calls = [call for call in asked if str(call["directory"]) == "train" and "part" in call]
    assert [call["part"] for call in calls] == [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5)]
    # A response of 1.01 + 0.01 ln(pt / 100 GeV), times the scale.
    for call, scale in zip(calls, (0.9, 0.95, 1.0, 1.05, 1.1), strict=True):
        assert call["detector"].jet_scale == pytest.approx((1.01 * scale, 0.01 * scale))
    events = load_hepmass_like(variant="jes", folder=tmp_path)
    assert events.parameter_names == ("mass", "jet energy scale")
    assert len(events.hypotheses) == 25
    _, n_background = np.unique(events.theta[events.label == 0, 1], return_counts=True)
    np.testing.assert_array_equal(n_background, 100)


def test_the_command_makes_all_of_them(monkeypatch, tmp_path, capsys):
    from benchmarks.__main__ import main

    calls = []

    def made(*arguments, **options):
        calls.append((arguments, options))
        yield {"files": {"train": {"name": "some.parquet", "n_bytes": 5, "n_background": 3, "n_signal": {"500": 2}}}}

    monkeypatch.setattr(embedding, "embed", made)
    files = {"train": {"name": "top.parquet", "n_bytes": 6, "n_background": 4, "n_signal": {"750": 1}}}
    monkeypatch.setattr(command, "embed_top_pairs", lambda seed, *_, **__: {"files": files} if seed == 6 else None)
    main(["data", "embed", "--particles", str(tmp_path)])
    (((n_events, seed, directory), _),) = calls
    assert (n_events, seed) == (300_000, 1)
    assert directory("between_test", None) == tmp_path / "between_test"
    assert capsys.readouterr().out.split() == [
        *("some.parquet", "5", "3", "{'500':", "2}"),
        *("top.parquet", "6", "4", "{'750':", "1}"),
    ]
