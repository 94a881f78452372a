import math

import pytest

from recsim.report.words import (
    counted,
    interval_text,
    number,
    p_text,
    wins_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.123456, "0.1235"),
        (12345.678, "12346"),
        (1e-7, "1e-07"),
        (math.nan, ""),
        (math.inf, "inf"),
    ],
)
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((20.3912, 19.2, 22.46), "20.4 [19.2, 22.5]"),
        ((0.00301, 0.0017, 0.0047), "0.0030 [0.0017, 0.0047]"),
        ((1234.4, 1000.0, 1500.0), "1234 [1000, 1500]"),
        ((1.0, 1.0, 1.0), "1.0000 [1.0000, 1.0000]"),
        ((0.5, math.nan, math.nan), "0.5"),
        ((math.nan, math.nan, math.nan), "-"),
    ],
)
def test_the_digits_of_an_interval_follow_from_its_width(interval, text):
    assert interval_text(*interval) == text


def test_p_values():
    assert [p_text(p) for p in (0.25, 0.0001, math.nan)] == ["0.250", "< 0.001", "-"]


def test_wins_and_ties_in_words():
    assert wins_text(3, 0, 5) == "3 of 5"
    assert wins_text(1, 2, 4) == "1 of 4, equal in 2"
    assert wins_text(0, 2, 2) == "equal in all 2"


def test_numbers_of_things():
    assert [counted(n, "pair") for n in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
