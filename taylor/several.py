"""Importances of the same features over the same events, side by side: at several theta, or to several outputs."""

import numpy as np

from taylor import tables
from taylor.features import FeatureSet
from taylor.result import TaylorImportance


class Several:
    """What is common to results that hold several importances.

    Attributes:
        importances: one TaylorImportance for each of `labels`.
        kind: what tells them apart, in a word.
    """

    importances: tuple[TaylorImportance, ...]
    kind: str

    @property
    def labels(self) -> list[str]:
        """A name for each of the importances."""
        raise NotImplementedError

    @property
    def features(self) -> FeatureSet:
        """Names and input indices of the columns."""
        return self.importances[0].features

    @property
    def mean(self) -> np.ndarray:
        """(n, n_features) <t_i>, a row for each of the importances."""
        return np.stack([importance.mean for importance in self.importances])

    @property
    def error(self) -> np.ndarray:
        """(n, n_features) standard error of the mean."""
        return np.stack([importance.error for importance in self.importances])

    def _repr_html_(self) -> str:
        """The features that are largest in any of them, a column for each."""
        largest = np.argsort(-self.mean.max(axis=0), kind="stable")[: tables.N_SHOWN].tolist()
        shown = [("feature", [self.features.label(column) for column in largest])]
        for label, mean, error in zip(self.labels, self.mean, self.error, strict=True):
            shown.append((label, [f"{mean[column]:.4g} ± {error[column]:.2g}" for column in largest]))
        title = f"Mean absolute Taylor coefficients of {len(self.features):,} features, a column for each {self.kind}"
        return tables.html_table(title, shown, *tables.more(self.features))
