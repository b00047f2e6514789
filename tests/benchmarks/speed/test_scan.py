from benchmarks.speed import scan


def test_rows_say_what_was_measured():
    rows = scan.run(scan.Config(n_features=3, n_points=4, n_events=(50,), units=(8, 4), points_served=2, repetitions=1))
    assert [row["row"] for row in rows] == ["affine, 50 events", "concat, 50 events"]
    for row in rows:
        assert row["single_s"] > 0 and row["scan_s"] > 0
        assert row["ratio"] == row["scan_s"] / 4 / row["single_s"]
        assert row["difference"] < 1e-6  # float32
