"""Parts of charts draw points, their intervals and their labels where they belong."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from capdec_core.chart_parts import curve, doublings, estimate, spoken
from capdec_core.chart_style import Mark

MARK = Mark("#0072b2", "s", (0, (4, 2)))


def bars(axes) -> list:
    (container,) = axes.containers
    return container.lines[2][0].get_segments()


def test_an_estimate_lies_at_its_height_with_its_interval_in_points() -> None:
    axes = Figure().add_subplot()
    estimate(axes, (0.2, 0.1, 0.5), 3, MARK, markersize=9)
    ((start, end),) = bars(axes)
    assert [*start, *end] == pytest.approx([10, 3, 50, 3])
    line = axes.containers[0].lines[0]
    assert (line.get_marker(), line.get_markersize(), line.get_linestyle()) == ("s", 9, "None")


def test_a_curve_has_every_rows_interval() -> None:
    axes = Figure().add_subplot()
    rows = pd.DataFrame({"CIDEr": [0.2, 0.3], "CIDEr_low": [0.1, 0.25], "CIDEr_high": [0.5, 0.4]})
    curve(axes, [1, 2], rows, "CIDEr", MARK)
    ends = [[*start, *end] for start, end in bars(axes)]
    assert ends[0] == pytest.approx([1, 10, 1, 50])
    assert ends[1] == pytest.approx([2, 25, 2, 40])


def test_doublings_label_the_values_and_nothing_between() -> None:
    axes = Figure().add_subplot()
    doublings(axes, [20, 1, 10, 10])
    axes.set_xlim(0.8, 25)
    assert axes.xaxis.get_majorticklocs().tolist() == [1, 10, 20]
    assert len(axes.xaxis.get_minorticklocs()) == 0
    assert axes.xaxis.get_major_formatter()(10, 0) == "10"


def test_values_are_spoken_in_points() -> None:
    assert spoken((0.712, 0.69, 0.734)) == "71.2 (69.0 to 73.4)"
    assert spoken((0.02, -0.01, 0.05), signed=True) == "+2.0 (-1.0 to +5.0)"
