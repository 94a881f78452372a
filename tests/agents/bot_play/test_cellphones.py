"""Bot play on published reviews of cell phones; see reproductions/bot_play for all of the table."""

import numpy as np
import pytest

from recsim.critiquing import read_reviews
from recsim.metrics.critiquing import sr_final
from recsim.play.critiquing import critique_metrics
from recsim.statistics import bootstrap
from reproductions.bot_play.reference import REFERENCE

COLUMNS = {
    "none": {"critiques": "none"},
    "pop": {},
    "random": {"seeker": "random"},
    "diff": {"seeker": "different"},
}
ROWS = {"base": "none", "control": "control", "bot play, one": "bot_play"}


@pytest.mark.slow
def test_critiques_help_after_bot_play_and_not_after_as_much_training_without(
    data_dir, build, play
):
    data = read_reviews(data_dir / "aspects_cellphone", min_rating=4, core_u=5, core_i=5)
    found = {}
    for row, tuning in ROWS.items():
        agent = build(data, fine_tuning=tuning)
        for column, rules in COLUMNS.items():
            result = play(data, agent, sessions=256, **rules)
            found[row, column] = sr_final(result.ranks, 1)
            if column == "none":
                numbers = critique_metrics(result)
                assert numbers["sr_final@1"] == numbers["hr@10"]
    for cell, value in REFERENCE.items():
        if cell in found:
            # Both have a standard error of 1.2 points at most, of different splits.
            assert abs(100 * found[cell].mean() - value) < 4 * 1.2 * 2**0.5, cell
    for column in ("pop", "diff"):
        gain, control = (
            found[row, column] - found[row, "none"] for row in ("bot play, one", "control")
        )
        for values in (gain, gain - control):  # of the same sessions
            interval = bootstrap(values, statistic=np.mean)
            print(column, interval)
            assert interval.low > 0
