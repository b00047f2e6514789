"""What is installed, what an import needs and does, and that the README's example runs."""

import ast
import configparser
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks.experiment import in_order
from benchmarks.report import render_markdown
from tests.benchmarks.stored import RECORDS, RESULTS, section

ROOT = Path(__file__).parent.parent
PACKAGES = ("pnn_tf", "taylor", "neos_tf")

# One process for all, as TensorFlow takes seconds to import. `None` in sys.modules makes an import fail; TensorFlow and
# Keras, which look for pandas, do without. Changing the threads fails once TensorFlow has taken hold of its devices.
CHILD = """
import importlib, random, sys
sys.modules.update(dict.fromkeys(["benchmarks", "matplotlib", "pandas"]))
import numpy, tensorflow, keras
before = random.getstate(), numpy.random.get_state()[1].tolist(), keras.config.floatx()
for package in {packages}:
    sys.modules.update(dict.fromkeys({packages}))
    del sys.modules[package]
    importlib.import_module(package)
assert before == (random.getstate(), numpy.random.get_state()[1].tolist(), keras.config.floatx())
tensorflow.config.threading.set_inter_op_parallelism_threads(1)
"""


def test_imports_need_no_sibling_and_no_plots_and_have_no_side_effects():
    child = CHILD.format(packages=PACKAGES)
    run = subprocess.run([sys.executable, "-c", child], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""


def private_names(keras_object) -> set[str]:
    """Names that begin with a single underscore."""
    return {name for name in [*dir(keras_object), *vars(keras_object)] if re.match(r"_(?!_)", name)}


def test_what_keras_keeps_private_stands_in_one_file_of_a_package():
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    names = set().union(*map(private_names, (x, model, keras.Sequential(model.layers), *model.layers)))
    assert {"_flatten_layers", "_inbound_nodes", "_keras_history", "_outbound_nodes", "_run_through_graph"} <= names
    for path in [path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")]:
        if path.name == "keras_graph.py" or path == Path(__file__):
            continue
        source = path.read_text()
        assert "keras.src" not in source, path
        nodes = list(ast.walk(ast.parse(source)))
        ours = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
        ours |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert not (used - ours) & names, path


def test_only_the_three_packages_are_installed():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    packages = {str(path.parent.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("__init__.py")}
    assert {name.replace(".", "/") for name in setup["options"]["packages"].split()} == packages
    assert "tensorflow-cpu" not in (ROOT / "setup.cfg").read_text()


def test_the_packages_carry_type_hints():
    """Whoever checks types against an installed package gets them (PEP 561), for everything that is public."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    assert setup["options.package_data"]["*"] == "py.typed"
    for name in PACKAGES:
        assert (ROOT / name / "py.typed").exists()
        package = importlib.import_module(name)
        for public in package.__all__:
            for function in annotated(getattr(package, public)):
                signature = inspect.signature(function)
                bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
                assert set(bare) <= {"self", "cls"}, function.__qualname__
                no_return = signature.return_annotation is signature.empty
                assert not no_return or function.__name__ == "__init__", function.__qualname__


def annotated(thing) -> list:
    """A function itself; of a class, what its own body defines of public methods, properties and `__init__`."""
    if not isinstance(thing, type):
        return [thing]
    members = {name: member for name, member in vars(thing).items() if name == "__init__" or not name.startswith("_")}
    functions = [
        getattr(member, "fget", getattr(member, "func", getattr(member, "__func__", member)))
        for member in members.values()
    ]
    return [function for function in functions if inspect.isfunction(function)]


def test_the_oldest_versions_are_those_that_are_allowed():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    required = setup["options"]["install_requires"] + extras["plots"] + extras["onnx"]
    lowest = {}
    for requirement in map(Requirement, required.split("\n")[1:]):
        (lower,) = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        lowest[requirement.name] = Version(lower)
    lines = [line for line in (ROOT / ".ci" / "oldest.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {name: Version(version) for name, version in (line.split("==") for line in lines)}
    assert pinned == lowest


def test_the_citation_is_of_this_version():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_the_pages_of_results_are_made_from_the_stored_records():
    """`python -m benchmarks report --markdown --out benchmarks/results` prints what belongs there."""
    page = (RESULTS / "README.md").read_text()
    assert page == render_markdown(in_order(map(section, RECORDS)))
    lines = set(page.splitlines())
    tables = re.findall(r"^<!-- table -->\n\n?(.*?)\n\n", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(tables) == 3 and all(set(table.splitlines()) <= lines for table in tables)


def example(package: str, data: str) -> str:
    """The example of a package in README.md, without the line of the reader's own data and with a single epoch."""
    text = (ROOT / "README.md").read_text()
    (code,) = re.findall(rf"^<!-- example: {package} -->\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code, n_data = re.subn(rf"^{data} = .*$", "", code, flags=re.MULTILINE)
    code, n_epochs = re.subn(r"epochs=\d+", "epochs=1, verbose=0", code)
    assert (n_data, n_epochs) == (1, 1)
    return code


quiet = pytest.mark.filterwarnings("error:.shuffle=True. was passed, but will be ignored")  # in an example as printed


@pytest.mark.slow
@quiet
def test_the_example_of_pnn_tf_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(1)
    label = np.tile([0, 1], 4500)
    theta = np.repeat([500.0, 1000.0, 1500.0], 3000)
    events = generator.normal(size=(9000, 27)) + 0.2 * label[:, None], theta, label
    keras.utils.set_random_seed(1)  # a network after one epoch may have too few distinct scores to be calibrated
    names = [f"f{i}" for i in range(27)]
    exec(example("pnn_tf", "train, test, names"), {"train": events, "test": events, "names": names})
    assert len(capsys.readouterr().out.splitlines()) == 3
    served = tf.saved_model.load(tmp_path / "served")
    described = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    endpoints = set(served.signatures) - {"serving_default"}
    assert len(endpoints) == 6 and endpoints <= set(described)
    assert served.scan(events[0][:10].astype("float32"))["scores"].shape == (10, 41)


def test_the_example_of_taylor_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = np.tile([0, 1], 500)
    x = np.random.default_rng(1).normal(size=(1000, 30)).astype("float32") + y[:, None]
    layers = [keras.Input((30,)), keras.layers.Dense(10, "tanh"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential(layers)
    model.compile("adam", "binary_crossentropy")
    space = {"x": x, "y": y, "names": [f"f{i}" for i in range(30)], "model": model}
    exec(example("taylor", "x, y, names, model"), space)
    printed = capsys.readouterr().out
    assert "495 features over 1,000 events" in printed and "feature='f0, f1'" in printed
    assert len(space["smaller"]) > 1
    assert r"\pm" in (tmp_path / "ranking.tex").read_text()
    assert space["monitor"].steps.tolist() == [0, 32]


@pytest.mark.slow
@quiet
def test_the_example_of_neos_tf_runs(capsys):
    import pyhf

    generator = np.random.default_rng(1)
    means = {"signal": (-1, 1), "background": (1, -1), "background_up": (2.5, 2), "background_down": (-2.5, -1.5)}
    events = {name: generator.normal(mean, 1, (2000, 2)).astype("float32") for name, mean in means.items()}
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
    space = {"train": events, "test": events, "network": network}
    exec(example("neos_tf", "train, test, network"), space)
    assert "'cls': " in capsys.readouterr().out
    assert pyhf.Workspace(space["workspace"]).model().config.poi_name == "mu"
