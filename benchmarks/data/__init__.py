"""Data sources of the benchmarks, each handed over as `Events`.

`SOURCES` maps the name of a source to its loader, which takes the split ("train" or "test") and `n_events`.
`DOWNLOADS` maps the sources that come over the web to a function that fetches them beforehand, takes `data_home` and
returns the paths of the cached files.
"""

from functools import partial

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, download_hepmass, load_hepmass
from benchmarks.data.hepmass_imb import imbalanced, load_hepmass_imb
from benchmarks.data.hepmass_like import VARIANTS, load_hepmass_like
from benchmarks.data.higgsml import download_higgsml, load_higgsml, rescale_weights
from benchmarks.data.standardiser import Standardiser

SOURCES = {
    "hepmass-like": load_hepmass_like,
    **{f"hepmass-like-{variant}": partial(load_hepmass_like, variant=variant) for variant in VARIANTS},
    "hepmass": load_hepmass,
    "hepmass-imb": load_hepmass_imb,
    "higgsml": load_higgsml,
}
DOWNLOADS = {"hepmass": download_hepmass, "higgsml": download_higgsml}  # HEPMASS-IMB is made from the files of HEPMASS

__all__ = [
    "DOWNLOADS",
    "FEATURE_NAMES",
    "SOURCES",
    "Events",
    "Standardiser",
    "imbalanced",
    "load_hepmass_like",
    "load_higgsml",
    "rescale_weights",
]
