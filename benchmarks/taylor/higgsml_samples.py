"""The events of the HiggsML experiments of TAYLOR: the official ones, a file in their format, or HEPMASS-like ones."""

from pathlib import Path

import numpy as np

from benchmarks.data import load_hepmass_like, load_higgsml
from benchmarks.data.events import Events
from benchmarks.record import fingerprint
from benchmarks.samples import Samples

MASS = 1000.0  # GeV, of the resonance of the HEPMASS-like events; its background carries the same
TEST_FRACTION = 1 / 3  # of a file of one's own
N_BINS = 32  # of the contours, along each axis
SHOWN = (0.0, 0.97)  # quantiles between which the contours are drawn

# The inputs of the contours with their units: the pair that the paper ranks first, and what stands for it elsewhere.
PAIRS = {
    "higgsml": (("DER_mass_vis", "GeV"), ("DER_pt_ratio_lep_tau", "")),
    "hepmass-like": (("m_wwbb", "standardised"), ("jet1_pt", "standardised")),
}


def load_samples(sample: str, n_train: int | None, n_test: int | None, path: str | Path | None = None) -> Samples:
    """Reads the events; undefined features are UNDEFINED, and `data` has the contours of both classes.

    Args:
        sample: "higgsml", the official files by download; "file", of the same format, of which a third is drawn at
            random for the test; or "hepmass-like", simulated and part of the checkout.
        n_train: the most training events, validation included, drawn at random; None for all.
        n_test: the most test events.
        path: of the "file"; None otherwise.

    Raises:
        ValueError: an unknown sample, a "file" without a path, or one that is not in the official format.
        DownloadError: the download failed.
        OSError: no file at `path`.
    """
    if sample == "higgsml":
        name, parts = "HiggsML", [load_higgsml(split, undefined="keep") for split in ("train", "test")]
    elif sample == "hepmass-like":
        every = [load_hepmass_like(split) for split in ("train", "test")]
        name, parts = f"HEPMASS-like (simulated, {MASS:.0f} GeV)", [e.select(e.theta[:, 0] == MASS) for e in every]
    elif sample == "file" and path is not None:
        every = load_higgsml("all", path=path, undefined="keep")
        name, parts = f"HiggsML ({Path(path).name})", every.split(TEST_FRACTION)
    else:
        raise ValueError(
            f"Expected sample 'higgsml', 'hepmass-like', or 'file' with a path. Received: {sample!r}, path={path}."
        )
    sizes = zip(parts, (n_train, n_test), strict=True)
    train, test = (e.draw(n) if n is not None and n < len(e) else e for e, n in sizes)
    columns = (column for e in (train, test) for column in (e.features, e.label, e.weight))
    data = {"name": name, "n_train": len(train), "n_test": len(test), "fingerprint": fingerprint(*columns)}
    pair = PAIRS["higgsml" if sample == "file" else sample]
    return Samples(train, test, data | {"contours": contours(Events.concatenate([train, test]), *pair)})


def contours(events: Events, x: tuple[str, str], y: tuple[str, str]) -> dict:
    """Numbers of events in a plane of two features, given by name and unit, as plain JSON values.

    Returns:
        `x` and `y` as given, `ranges` of the axes, and `signal` and `background`, (N_BINS, N_BINS) counts of events,
        without their weights, with x first.
    """
    plane = np.stack([events.features[:, events.names.index(name)] for name, _ in (x, y)], axis=1)
    ranges = np.quantile(plane, SHOWN, axis=0).T
    of_class = {
        name: np.histogram2d(*plane[events.label == label].T, bins=N_BINS, range=ranges)[0].astype(int).tolist()
        for label, name in ((1, "signal"), (0, "background"))
    }
    return {"x": list(x), "y": list(y), "ranges": ranges.tolist(), **of_class}
