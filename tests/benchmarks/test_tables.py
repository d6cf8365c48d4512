"""Numbers and tables as people read them."""

import pytest

from benchmarks.tables import number, size, table, times


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (0.456, "0.46"),
        (3.254, "3.25"),
        (13.24, "13.2"),
        (123.6, "124"),
        (-20, "-20.0"),
    ],
)
def test_numbers_are_rounded_to_what_can_be_trusted(value: float | None, text: str) -> None:
    assert number(value) == text


def test_ratios() -> None:
    assert times(2.5) == "2.50 x"
    assert times(None) == "-"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1 << 30, "1 GiB"),
        (64 << 20, "64 MiB"),
        (16 << 10, "16 KiB"),
        (3 << 29, "1536 MiB"),
        (1000, "1000 bytes"),
    ],
)
def test_sizes_are_exact(count: int, text: str) -> None:
    assert size(count) == text


def test_a_table_has_numbers_to_the_right() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n"
