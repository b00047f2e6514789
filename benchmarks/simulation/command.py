"""`python -m benchmarks data simulate | compare | embed`."""

import argparse
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage

from . import embed
from .detector import Detector
from .sample import Recipe, simulate
from .top_pairs import embed_top_pairs


def add_commands(commands) -> None:
    """Adds the three commands to the subparsers of `data`."""
    parser = commands.add_parser("simulate", help="simulate HEPMASS-like events; run again to continue after a stop")
    _add_simulation_arguments(parser, n_events=100_000)
    masses = parser.add_mutually_exclusive_group()
    masses.add_argument("--masses", type=float, nargs="+", metavar="GEV", help="hypotheses (default those of HEPMASS)")
    masses.add_argument("--mass-range", type=float, nargs=2, metavar="GEV", help="masses uniform between two ends")
    parser.add_argument("--kind", choices=("spin2", "scalar", "zprime"), default="spin2", help="of the resonance")
    parser.add_argument("--energy", type=float, default=13000.0, metavar="GEV", help="of the collisions")
    parser.add_argument(
        "--detector",
        type=_assignment,
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help=f"change the detector: {', '.join(f.name for f in fields(Detector))}",
    )
    parser.add_argument("--to", type=Path, default=None, metavar="FILE", help="Parquet file (default in --particles)")
    parser.set_defaults(command=_simulate)

    parser = commands.add_parser("compare", help="the embedded sample beside statistics of the real one")
    parser.add_argument(
        "--reference", type=Path, default=Path("../shared/data"), metavar="DIR", help="folder of the reference files"
    )
    parser.set_defaults(command=_compare)

    parser = commands.add_parser("embed", help="make the samples that come with the code")
    _add_simulation_arguments(parser, n_events=300_000)
    parser.set_defaults(command=_embed)


def _add_simulation_arguments(parser, n_events):
    parser.add_argument("--events", type=int, default=n_events, metavar="N", help=f"selected events ({n_events})")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--processes", type=int, default=None, metavar="N", help="(default one a core)")
    parser.add_argument(
        "--particles", type=Path, default=None, metavar="DIR", help="where the particle level is kept (default a cache)"
    )


def _assignment(text):
    name, _, value = text.partition("=")
    types = {f.name: f.type for f in fields(Detector)}
    if name not in types:
        raise argparse.ArgumentTypeError(f"unknown detector parameter {name!r}; known: {', '.join(types)}")
    numbers = tuple(float(number) for number in value.split(","))
    return name, numbers if types[name] is not float else numbers[0]


def _simulate(options: argparse.Namespace) -> None:
    settings = {"masses": tuple(options.masses)} if options.masses else {}
    if options.mass_range:
        settings = {"masses": tuple(options.mass_range), "continuous": True}
    recipe = Recipe(options.seed, options.kind, energy=options.energy, **settings)
    directory = options.particles or _cache(recipe)
    detector = Detector(**dict(options.detector))
    events = simulate(recipe, options.events, directory, detector=detector, n_processes=options.processes)
    path = options.to or directory / "events.parquet"
    columns = dict(zip(events.names, events.features.T, strict=True))
    with storage.write_whole(path) as temporary:
        pq.write_table(pa.table(columns | {"mass": events.theta[:, 0], "label": events.label}), temporary)
    print(f"{events}\nfeatures in GeV and radians: {path}\nparticle level: {directory}")


def _embed(options: argparse.Namespace) -> None:
    def directory(name, recipe):
        return options.particles / name if options.particles else _cache(recipe)

    for recipe in embed.embed(options.events, options.seed, directory, n_processes=options.processes):
        for file in recipe["files"].values():
            print(file["name"], file["n_bytes"], file["n_background"], file["n_signal"])
    for file in embed_top_pairs(options.seed + 5, directory, n_processes=options.processes)["files"].values():
        print(file["name"], file["n_bytes"], file["n_background"], file["n_signal"])


def _cache(recipe):
    masses = "-".join(f"{mass:g}" for mass in recipe.masses)
    name = f"{recipe.kind}_{'range-' if recipe.continuous else ''}{masses}_{recipe.energy:g}_seed{recipe.seed}"
    return storage.data_home() / "simulation" / name


def _compare(options: argparse.Namespace) -> None:
    from .compare import compare  # TensorFlow, by way of pnn_tf

    compare(options.reference)
