"""One launch's rows are one value, whose tables come in the order of the store."""

from bench.store import schema
from bench.store.schema import LaunchRows


def test_only_tables_with_rows_are_there_and_in_the_order_of_the_store(a_plan, a_launch, a_dna, some_steps):
    launch = a_launch(a_plan(), 0)
    assert list(LaunchRows(launch=launch).tables) == ["launches"]
    rows = LaunchRows(launch=launch, steps=some_steps(launch), dna=a_dna(launch))
    assert list(rows.tables) == [table for table in schema.TABLES if table in {"launches", "steps", "dna"}]
    assert rows.tables["launches"].to_pylist()[0]["launch_id"] == launch.launch_id


def test_the_same_rows_as_a_later_attempt_say_so_and_why(a_plan, a_launch, a_dna):
    launch = a_launch(a_plan(), 0, warnings=("load 1.3",))
    rows = LaunchRows(launch=launch, dna=a_dna(launch))
    later = rows.as_attempt(2, "given up")
    assert (later.launch.attempt, later.launch.warnings) == (2, ("load 1.3", "given up"))
    assert later.dna is rows.dna
