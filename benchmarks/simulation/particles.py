"""The particle level: what a perfect detector would see, stored once and measured as often as wanted."""

import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.data import storage

N_JETS = 10  # jets kept an event, harder ones first; absent ones have pt 0


@dataclass(frozen=True)
class ParticleLevel:
    """Events with one lepton and at least four jets at particle level; GeV and radians.

    Args:
        lepton: (n_events, 3) pt, eta, phi of the hardest isolated electron or muon.
        isolation: (n_events,) scalar sum of pt within 0.5 of the lepton, relative to its pt.
        met: (n_events, 2) x and y of the momentum that leaves the detector unseen.
        jets: (n_events, N_JETS, 4) pt, eta, phi, mass; anti-kt jets without the lepton, muons and neutrinos.
        jet_flavour: (n_events, N_JETS) 5, 4 or 0.
        mass: (n_events,) of the generated resonance, 0 for background.
    """

    lepton: np.ndarray
    isolation: np.ndarray
    met: np.ndarray
    jets: np.ndarray
    jet_flavour: np.ndarray
    mass: np.ndarray

    def __len__(self):
        return len(self.lepton)

    @classmethod
    def concatenate(cls, parts) -> "ParticleLevel":
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    def select(self, which: np.ndarray) -> "ParticleLevel":
        """The events under a mask (n_events,), or at integer indices."""
        return ParticleLevel(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def save(self, path: Path) -> None:
        """Write to `path` as npz, whole or not at all."""
        with storage.write_whole(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "ParticleLevel":
        """Read what `save` wrote; ValueError if the file is damaged."""
        try:
            with open(path, "rb") as file, np.load(file) as arrays:
                return cls(**{f.name: arrays[f.name] for f in fields(cls)})
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
