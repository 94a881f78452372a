import pandas as pd

from reproductions.intervals import difference_texts, mean_text


def test_a_mean_with_its_interval():
    # The 97.5% quantile of Student's t with two degrees of freedom is 4.303.
    assert mean_text(pd.Series([1.0, 2.0, 3.0])) == "2.000 ±2.484"
    assert mean_text(pd.Series([1.0])) == "1.000"


def test_a_difference_is_within_seeds_and_starred_after_holms_correction():
    zero = pd.Series([10.0, 20.0, 30.0])
    near = pd.Series([10.9, 21.0, 31.1])  # t = 17.3, p = 0.0033
    noisy = pd.Series([10.5, 21.0, 31.5])  # t = 3.46, p = 0.074
    half = pd.Series([10.2, 20.25, 30.3])  # t = 8.66, p = 0.013
    assert difference_texts([(near, zero)]) == ["+1.000 ±0.248 *"]
    # 0.013 is the second smallest of three, times two below 0.05; of four equal ones it is not.
    assert difference_texts([(near, zero), (half, zero), (noisy, zero)], digits=2) == [
        "+1.00 ±0.25 *",
        "+0.25 ±0.12 *",
        "+1.00 ±1.24",
    ]
    assert difference_texts([(zero, half)] * 4, digits=2) == ["-0.25 ±0.12"] * 4
    assert difference_texts([(near[:1], zero[:1])]) == ["+0.900"]
