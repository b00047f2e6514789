"""HiggsML: the set of the ATLAS Higgs boson machine learning challenge of 2014, H -> tau tau against its background.

818 238 simulated events, CERN Open Data record 328, DOI 10.7483/OPENDATA.ATLAS.ZBP2.M5T8, CC0; described in
Adam-Bourdarios et al., "Learning to discover", record 329. The csv.gz (66 MB) is downloaded once. Features are in GeV
where they are momenta or masses, and not standardised; where one does not exist in an event, such as the second jet's
in an event with one jet, the file has -999.

`Standardiser.fit(train.features, undefined=UNDEFINED)` standardises what is defined, `rescale_weights` makes a part of
the events ready for the AMS. An excerpt with training rows only has no test split:
`load_higgsml("all", path=...).split(0.5)` makes two parts of it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.data import storage
from benchmarks.data.download import EventFile, fetch
from benchmarks.data.events import Events

HIGGSML_FEATURES = (
    *("DER_mass_MMC", "DER_mass_transverse_met_lep", "DER_mass_vis", "DER_pt_h", "DER_deltaeta_jet_jet"),
    *("DER_mass_jet_jet", "DER_prodeta_jet_jet", "DER_deltar_tau_lep", "DER_pt_tot", "DER_sum_pt"),
    *("DER_pt_ratio_lep_tau", "DER_met_phi_centrality", "DER_lep_eta_centrality"),
    *("PRI_tau_pt", "PRI_tau_eta", "PRI_tau_phi", "PRI_lep_pt", "PRI_lep_eta", "PRI_lep_phi"),
    *("PRI_met", "PRI_met_phi", "PRI_met_sumet", "PRI_jet_num"),
    *(f"PRI_jet_{jet}_{name}" for jet in ("leading", "subleading") for name in ("pt", "eta", "phi")),
    "PRI_jet_all_pt",
)
NUMBERS = [*HIGGSML_FEATURES, "Weight"]
COLUMNS = (*NUMBERS, "Label", "KaggleSet")
UNDEFINED = -999.0  # exact in float32
SPLITS = {"train": "t", "test": "bv", "public": "b", "private": "v", "unused": "u", "all": "tbvu"}  # KaggleSet

# Sums of Weight over all 818 238 events: those expected in 20.3 / fb at 8 TeV.
SIGNAL_SUM, BACKGROUND_SUM = 691.9886, 410999.8473

# The size and SHA-1 are those of the portal's own record (github.com/cernopendata/opendata.cern.ch, commit 1cadb70,
# cernopendata/modules/fixtures/data/records/atlas-higgs-challenge-2014.json); later versions of that record give
# Adler-32 e4717bbe for the same size. Nobody publishes a SHA-256 of the csv.gz.
HIGGSML_FILE = EventFile(
    "http://opendata.cern.ch/record/328/files/atlas-higgs-challenge-2014-v2.csv.gz",
    n_bytes=65_630_848,
    checksum="639b1dbd97a709a739122a9a5dcd99b49d55d86c",
    n_events=818_238,
)


def load_higgsml(
    split: str = "train",
    *,
    n_events: int | None = None,
    data_home: str | Path | None = None,
    path: str | Path | None = None,
    undefined: str = "mean",
    file: EventFile = HIGGSML_FILE,
) -> Events:
    """Events of the HiggsML challenge; downloads them at first use.

    Weights are the file's: over all splits they sum to the events expected in 20.3 / fb, see `rescale_weights`.

    Args:
        split: "train" (250 000 events), "test" (550 000), "public" or "private" (those of the test on either leader
            board of the challenge), "unused" or "all".
        n_events: only the first so many of the split; all if None. `Events.draw` takes a part at random.
        data_home: folder of downloads and caches; see `storage.data_home`.
        path: a csv or csv.gz with the columns of the official file, to read instead of that.
        undefined: "keep" leaves undefined features at -999. "mean" replaces them by the feature's mean over all
            training events of the file where it is defined, whatever the split.
        file: where the official file comes from.

    Returns:
        Events with 30 features and no theory parameter: theta is (n_events, 0).

    Raises:
        DownloadError: the download failed.
        ValueError: an unknown split or treatment; no event in the split, or fewer than asked for; a file that is not in
            the official format; undefined="mean" for a file without training events.
    """
    if split not in SPLITS:
        raise ValueError(f"Expected split to be one of {tuple(SPLITS)}. Received: split={split!r}.")
    if undefined not in ("mean", "keep"):
        raise ValueError(f"Expected undefined to be 'mean' or 'keep'. Received: undefined={undefined!r}.")
    source = fetch(file, storage.data_home(data_home) / "higgsml") if path is None else path
    table = _read_csv(source)
    kaggle_set = table["KaggleSet"].to_numpy()
    chosen = np.flatnonzero(np.isin(kaggle_set, list(SPLITS[split])))
    if not len(chosen):
        raise ValueError(
            f"Expected events of split={split!r} (KaggleSet {' or '.join(SPLITS[split])}) in {source}. Received: none "
            f"of {len(table)} events. Use split='all' and `Events.split`."
        )
    n_events = len(chosen) if n_events is None else n_events
    if not 0 < n_events <= len(chosen):
        raise ValueError(f"Expected n_events between 1 and {len(chosen)} for split={split!r}. Received: {n_events}.")
    chosen = chosen[:n_events]
    features = np.column_stack([table[name].to_numpy() for name in HIGGSML_FEATURES])
    if undefined == "mean":
        features = _fill(features, features[kaggle_set == SPLITS["train"]], source)
    return Events(
        features[chosen],
        theta=np.empty((n_events, 0)),
        label=table["Label"].to_numpy()[chosen] == "s",
        weight=table["Weight"].to_numpy()[chosen],
        names=HIGGSML_FEATURES,
        process_names=("background", "H -> tau tau"),
        parameter_names=(),
    )


def rescale_weights(events: Events) -> Events:
    """The events with the weights of each class scaled to those of the whole set, for which a part then stands.

    The AMS has its meaning, s and b events in 20.3 / fb, only with those.
    ValueError for a class whose weights have no positive sum.
    """
    weight = events.weight.astype(np.float64)
    for label, name, wanted in ((1, "signal", SIGNAL_SUM), (0, "background", BACKGROUND_SUM)):
        of_class = events.label == label
        total = weight[of_class].sum()
        if not total > 0:
            raise ValueError(
                f"Expected {name} of positive weight to rescale to {wanted}. Received: {np.count_nonzero(of_class)} "
                f"events with a sum of {total}."
            )
        weight[of_class] *= wanted / total
    return replace(events, weight=weight)


def download_higgsml(*, data_home: str | Path | None = None, file: EventFile = HIGGSML_FILE) -> list[Path]:
    """Downloads the official file, unless that has been done; returns its path."""
    return [fetch(file, storage.data_home(data_home) / "higgsml")]


def _read_csv(path: str | Path) -> pa.Table:
    """COLUMNS of a csv or csv.gz, checked; numbers as float32."""
    types = dict.fromkeys(NUMBERS, pa.float32()) | dict.fromkeys(("Label", "KaggleSet"), pa.string())
    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types, include_columns=COLUMNS))
    except (ValueError, KeyError, OSError) as error:  # what Arrow says of columns that lack, and of what is no csv
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not the format's
        raise ValueError(
            f"Expected a csv or csv.gz with the columns of {HIGGSML_FILE.name} at {path}: {error}. The files of Kaggle "
            "itself lack KaggleSet, and its test.csv Weight and Label: take the file of CERN Open Data instead."
        ) from error
    for name, known in (("Label", "sb"), ("KaggleSet", SPLITS["all"])):
        if strange := {*table[name].to_numpy()} - {*known}:
            raise ValueError(f"Expected {name} to be one of {', '.join(known)} in {path}. Received: {strange.pop()!r}.")
    return table


def _fill(features: np.ndarray, training: np.ndarray, source) -> np.ndarray:
    """Undefined features replaced by the mean of the defined ones of the training events."""
    defined = training != UNDEFINED
    if not defined.any(axis=0).all():
        raise ValueError(
            f"undefined='mean' needs training events (KaggleSet t) with defined values of every feature. Received: "
            f"{len(training)} training events in {source}. Use undefined='keep' and `Standardiser`."
        )
    mean = training.mean(axis=0, dtype=np.float64, where=defined).astype(np.float32)
    return np.where(features == UNDEFINED, mean, features)
