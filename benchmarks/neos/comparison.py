"""Claims that compare what methods reach on the test events of the blobs, seed by seed."""

from collections.abc import Sequence

from benchmarks.claims import Claim, Criterion, over_trainings
from benchmarks.tables import Quantity, by_seed, long

LOG_CLS, MU, GAMMA = "log10 CLs", "sigma_mu", "sigma_gamma"
LABELS = {"cls": r"expected $CL_s$", MU: r"$\sigma_\mu$", GAMMA: r"$\sigma_\gamma$"}  # of axes, by field
# Standard errors of a difference that the 2,000 test events of each blob leave, which all methods and seeds share: the
# networks of one seed on 40 independent test samples, with the means of the authors' code. Of log10 CLs, pairs vary by
# 0.10 to 0.15, and those with augmented BCE, which are 0.8 decades apart and more, by 0.23.
TEST_ERRORS = {LOG_CLS: 0.13, MU: 0.01, GAMMA: 0.04}


def claim(
    text: str,
    metric: str,
    quantity: Quantity,
    higher: Sequence[str],
    lower: Sequence[str],
    criterion: Criterion,
    *,
    ours: bool = False,
    suffix: str = "",
) -> Claim:
    """How much higher some methods are than others, pair by pair; of the first themselves if there are no others.

    Args:
        text: the statement.
        metric: one of LOG_CLS, MU and GAMMA.
        quantity: how rows give it.
        higher, lower: names of rows, without the suffix.
        criterion: that each of the gaps has to meet.
        ours: as of Claim.
        suffix: of the names of rows.
    """

    def measure(rows):
        frame = long(rows, {metric: quantity})
        of = {method: by_seed(frame, f"{method}{suffix}") for method in (*higher, *lower)}
        gaps = {f"{a} above {b}": (of[a] - of[b]).dropna() for a in higher for b in lower} or of
        return {name: over_trainings(values, TEST_ERRORS[metric]) for name, values in gaps.items()}

    unit = "decades" if metric == LOG_CLS else ""
    return Claim(text, measure, criterion, unit=unit, decimals=quantity.decimals, ours=ours)
