"""The plan from made-up rates."""

import pytest

from benchmarks.claims import Missing
from benchmarks.scale import plan as module
from benchmarks.scale.plan import EXPERIMENT, LIMITS, MERGING, N_EVENTS, NAMES, TASKS, alone, hours_on, plan
from tests.benchmarks.silent import Silent

ROWS = [{"row": name, "seed": 1, "seconds": [1e-6, 3e-6, 2e-6]} for name in NAMES]


def test_hours_are_units_times_seconds():
    terms = {term.name: term for term in plan(ROWS)}
    assert terms["reading"].hours == pytest.approx(N_EVENTS * 2e-6 / 3600)
    assert terms["scores at all hypotheses"].hours == pytest.approx(1e9 * 1e3 * 2e-6 / 3600)
    assert terms["limits"].hours == pytest.approx(1e3 * 2e-6 / 3600)
    # A hundred tasks of 1e7 events; weights and squares of signal and background, in 512 bins at 1000 points.
    assert terms["merging counts"].hours == pytest.approx(100 * 2 * 2 * 512 * 1000 * 8 * 2e-6 / 3600)


def test_more_cores_help_with_what_is_shared():
    terms = list(plan(ROWS))
    shared = hours_on(terms, 1) - alone(terms)
    assert hours_on(terms, 10) == pytest.approx(alone(terms) + shared / 10)
    # A thousand cores have four thousand tasks, in place of a hundred.
    assert hours_on(terms, 1000) == pytest.approx(40 * alone(terms) + shared / 1000)


def test_a_rate_that_is_missing_is_named():
    with pytest.raises(Missing, match=r"the plan needs limits$"):
        plan([row for row in ROWS if row["row"] != LIMITS])


@pytest.mark.slow
@pytest.mark.parametrize("name", [LIMITS, TASKS, MERGING])
def test_rates_are_measured(name):
    row = module.make_row(EXPERIMENT.scales["smoke"], None, name, 1, Silent())
    assert len(row["seconds"]) == 1
    assert row["seconds"][0] > 0


def test_tables_and_figures_are_of_the_plan():
    (table,) = module.tables({"rows": ROWS})
    assert len(table.lines) == 8
    ((_, figure),) = module.figures({"rows": ROWS})
    low, high = figure.axes[0].lines[0].get_ydata()[[-1, 0]]
    assert low == pytest.approx(hours_on(plan(ROWS), 1e6))
    assert high == pytest.approx(hours_on(plan(ROWS), 1))
