"""Evidence: when it is beyond doubt, and families of tests corrected together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capdec_core.statistics import Estimate, holm
from capdec_core.studies.claims import Evidence, corrected


def evidence(low: float, high: float, p_value: float | None) -> Evidence:
    estimate = Estimate((low + high) / 2, low, high, 0.95, 0.1, 100, 3)
    return Evidence(question="?", metric="CIDEr", estimate=estimate, p_value=p_value, sides=(("cell",),))


@pytest.mark.parametrize(
    ("low", "high", "p_value", "sign"),
    [
        (0.1, 0.3, 0.05, 1),
        (-0.3, -0.1, 0.05, -1),
        (0.1, 0.3, 0.051, 0),  # the interval alone
        (-0.1, 0.3, 0.01, 0),  # p alone
        (0.1, 0.3, None, 0),  # no test was made
    ],
)
def test_a_sign_needs_interval_and_p(low: float, high: float, p_value: float | None, sign: int) -> None:
    assert evidence(low, high, p_value).sign == sign


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_family_is_corrected_by_holm_in_its_order(p_values: list[float]) -> None:
    found = [evidence(0.1, 0.3, p) for p in p_values]
    adjusted = corrected(found)
    assert [test.p_value for test in adjusted] == pytest.approx(holm(p_values).tolist())
    assert [replace(test, p_value=None) for test in adjusted] == [replace(t, p_value=None) for t in found]


def test_what_has_no_p_is_in_no_family() -> None:
    with pytest.raises(ValueError, match="without a p-value"):
        corrected([evidence(0.1, 0.3, 0.2), evidence(0.1, 0.3, None)])
