"""The loop over rows and seeds that experiments share."""

from benchmarks.rows import in_turn
from tests.benchmarks.silent import Silent


def test_rows_come_seed_by_seed_without_the_finished_ones():
    made = []

    def make_row(config, samples, name, seed, display):
        made.append((name, seed))
        return {"value": config * samples}

    display = Silent()
    run = in_turn(lambda config: ("a", "b"), make_row)
    rows = run(2, 3, seeds=(1, 2), finished=frozenset({("b", 1)}), display=display)
    first = next(rows)
    assert made == [("a", 1)] and display.told == (3, 3)
    assert (first["row"], first["seed"], first["value"]) == ("a", 1, 6) and first["wall_s"] >= 0
    assert [(row["row"], row["seed"]) for row in rows] == [("a", 2), ("b", 2)]
