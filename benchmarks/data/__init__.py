"""Data sources of the benchmarks, each handed over as `Events`.

`SOURCES` maps the name of a source to its loader, which takes the split ("train" or "test") and `n_events`.
`DOWNLOADS` maps the sources that come over the web to a function that fetches them beforehand, takes `data_home` and
returns the paths of the cached files.
"""

from benchmarks.data.download import DownloadError
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, download_hepmass, load_hepmass
from benchmarks.data.hepmass_imb import imbalanced, load_hepmass_imb
from benchmarks.data.hepmass_like import load_hepmass_like, write_hepmass_like

SOURCES = {"hepmass-like": load_hepmass_like, "hepmass": load_hepmass, "hepmass-imb": load_hepmass_imb}
DOWNLOADS = {"hepmass": download_hepmass}  # HEPMASS-IMB is made from the same files

__all__ = [
    "DOWNLOADS",
    "FEATURE_NAMES",
    "SOURCES",
    "DownloadError",
    "Events",
    "download_hepmass",
    "imbalanced",
    "load_hepmass",
    "load_hepmass_imb",
    "load_hepmass_like",
    "write_hepmass_like",
]
