"""In words: where a run departs from AFFINE, and what it chooses where the paper is silent."""

from collections.abc import Iterator

from benchmarks.training import Recipe


def departures(config: dict) -> tuple[str, ...]:
    """One sentence for each, given the configuration in a record."""
    return tuple(_departures(config))


def _departures(config: dict) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield (
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS, with a spin-2 "
            "resonance as the signal. Differences to the paper of a point or two can come from the physics alone."
        )
        yield "The training sample is far smaller than the 7 million events of HEPMASS."
    if config["n_train"] is not None:
        yield f"Only {config['n_train']:,} training and {config['n_test']:,} test events are drawn from the sample."
    recipe = Recipe()
    for field in ("epochs", "batch_size", "learning_rate"):
        if config[field] != getattr(recipe, field):
            yield f"{field.replace('_', ' ').capitalize()}: {config[field]} instead of {getattr(recipe, field)}."
    if config["batch_size"] < recipe.batch_size:
        yield "Smaller batches and the larger rate let the small sample come near convergence in minutes."
    yield (
        f"Where the paper's text is silent, its authors' code decides: {config['validation_fraction']:.0%} of the "
        "events validate, the epoch with the best validation AUC is kept, uniform rows validate on identical masses."
    )
    yield (
        "An individual network is trained on the signal of its mass and the background that carries it, a fifth each."
        if config["individual_background"] == "own"
        else "An individual network is trained on the signal of its mass and on the whole background."
    )
    yield (
        f"The L2 penalties are {config['kernel_l2']:g} on the kernels and {config['bias_l2']:g} on the biases of the "
        "hidden layers, the first of the two settings in the paper."
    )
    yield "The significance ratio takes every distinct score as a cut; the paper's Table 3 has none."
