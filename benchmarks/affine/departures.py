"""In words: what a run was made on, where it departs from AFFINE, and what it chooses where the paper is silent."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.affine.networks import Setup
from benchmarks.training import Recipe


def circumstances(record: Mapping) -> str:
    """Events, length of the training and seeds of a record, as the end of a sentence: "... on {circumstances}."."""
    config, data, seeds = record["configuration"], record["data"], sorted({row["seed"] for row in record["rows"]})
    return (
        f"{data['name']} events: {data['n_train']:,} for training and validation, {data['n_test']:,} for the test, "
        f"{config['epochs']} epochs, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    )


OF_START = (
    "Affine layers start as the identity, in the paper at random as Dense layers do: see affine-start, affine-variants."
)


def departures(record: Mapping, setups: Mapping[str, Setup]) -> tuple[str, ...]:
    """One sentence for each, given a record and what its rows train."""
    return tuple(_departures(record["configuration"], record["data"], record["rows"], setups))


def of_size(config: Mapping) -> Iterator[str]:
    """That only a part of the sample is used, if so."""
    if config["n_train"] is not None:
        yield f"Only {config['n_train']:,} training and {config['n_test']:,} test events are drawn from the sample."


def of_recipe(config: Mapping) -> Iterator[str]:
    """Where length and steps of the training are not the paper's."""
    for field in ("epochs", "batch_size", "learning_rate"):
        if config[field] != getattr(Recipe, field):
            yield f"{field.replace('_', ' ').capitalize()}: {config[field]} instead of {getattr(Recipe, field)}."


def _departures(config: Mapping, data: Mapping, rows: Sequence[Mapping], setups: Mapping[str, Setup]) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield (
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS, with a spin-2 "
            "resonance as the signal. Differences to the paper of a point or two can come from the physics alone."
        )
        yield "The training sample is far smaller than the 7 million events of HEPMASS."
    yield from of_size(config)
    if counts := data.get("n_signal"):
        *most, last = (f"{count:,} at {mass}" for mass, count in counts.items())
        yield (
            "HEPMASS-IMB is drawn anew, in proportion to the sample: it keeps all the background and of the signal "
            f"{', '.join(most)} and {last} GeV, validation included. The paper has 350,000, 140,000, 35,000, 7,000 "
            "and 2,000."
        )
    yield from of_recipe(config)
    if config["batch_size"] < Recipe.batch_size:
        kept = [epoch == row["epochs"] for row in rows for epoch in row["best_epoch"]]
        yield (
            "Smaller batches and the larger rate make up for the small sample, in part: of "
            f"{len(kept)} trainings, {sum(kept)} were at their best in the last epoch, and might gain by more."
        )
    yield (
        f"Where the paper's text is silent, its authors' code decides: {config['validation_fraction']:.0%} of the "
        "events validate, the epoch with the best validation AUC is kept, and the background that validates has "
        "identical masses in every row, uniform ones included."
    )
    if any(setup.individual for setup in setups.values()):
        yield (
            "An individual network is trained on the signal of its mass and the background that carries it, a fifth "
            "each, for as many epochs, so in a fifth of the steps: on a small sample it is further from convergence."
            if config["individual_background"] == "own"
            else "An individual network is trained on the signal of its mass and on the whole background."
        )
    if any(setup.balance != "none" for setup in setups.values()):
        yield (
            f"A balanced batch holds exactly {config['batch_size']} events, drawn without replacement until a stratum "
            "has been seen once; the authors' code draws with replacement. An epoch has as many steps as without "
            "balance, so the rare signal comes many times in each."
        )
    yield (
        "The L2 penalties are on the hidden layers, as in the authors' code; the paper's text has them on all "
        f"parameters. They are {config['kernel_l2']:g} on kernels and {config['bias_l2']:g} on biases, "
        "the first of the two settings in the paper; affine-variants has both."
    )
