"""Names and numbers as they are printed in a paper."""

import numpy as np
import pytest

from taylor import FeatureSet, TaylorImportance
from taylor.latex import escaped, rounded


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DER_mass_MMC", r"DER\_mass\_MMC"),
        ("100% & #1", r"100\% \& \#1"),
        ("$p_T^{miss}$", "$p_T^{miss}$"),
        ("x_1 of $p_T$", r"x\_1 of $p_T$"),
        ("5$ or_so", r"5\$ or\_so"),
        (r"\pt", r"\textbackslash{}pt"),
        ("{a}^b~|c|", r"\{a\}\textasciicircum{}b\textasciitilde{}\textbar{}c\textbar{}"),
        ("a\nb", "a b"),
        ("φ_1", r"$\phi $\_1"),
        ("$Δη$", r"$\Delta \eta $"),
        ("Λ λ", r"$\Lambda $ $\lambda $"),
    ],
)
def test_names_are_escaped_outside_of_mathematics(name, expected):
    assert escaped(name) == expected


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.123456, 0.0321, ("0.123", "0.032", 0)),
        (0.123456, 0.00996, ("0.123", "0.010", 0)),  # 0.00996 is 0.010 in two digits
        (0.25, 0.0995, ("0.25", "0.10", 0)),
        (-0.0001, 0.5, ("0.00", "0.50", 0)),
        (12344.0, 678.0, ("12340", "680", 0)),
        (1.23456e6, 678.0, ("1.23456", "0.00068", 6)),
        (1.23456e-7, 2.1e-9, ("1.235", "0.021", -7)),
        (3e-5, 9.96e-4, ("0.0000", "0.0010", 0)),
        (3e-6, 9.6e-5, ("0.3", "9.6", -5)),
        (0.25, 0.0, ("0.2500", "0", 0)),
        (1e-5, np.nan, ("1.000", "0", -5)),
        (0.0, 0.0, ("0.000", "0", 0)),
        (99999.6, 0.0, ("1.000", "0", 5)),
        (np.nan, 1.0, ("--", "--", 0)),
    ],
)
def test_numbers_have_two_digits_of_their_errors(value, error, expected):
    assert rounded(value, error) == expected


def test_powers_of_ten_stand_behind_value_and_error():
    features = FeatureSet.complete(("a",), 1)
    one = TaylorImportance(
        features, np.array([1.234e-7]), np.array([2e-9]), 1, "adjoint", spread=np.array([3.1e-8]), n_networks=2
    )
    assert r"$(1.234 \pm 0.020) \times 10^{-7}$ & $3.1 \times 10^{-8}$ \\" in one.to_latex()
