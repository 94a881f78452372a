"""Bot play on published reviews of cell phones; for the full table see reproductions/bot_play."""

import pytest

from recsim.critiquing import read_reviews
from recsim.metrics.critiquing import sr_final
from recsim.play.critiquing import critique_metrics
from recsim.statistics import mean_interval
from reproductions.bot_play.reference import REFERENCE

COLUMNS = {
    "none": {"critiques": "none"},
    "pop": {},
    "random": {"seeker": "random"},
    "diff": {"seeker": "different"},
}
ROWS = {"base": "none", "control": "control", "bot play, one": "bot_play"}


@pytest.mark.slow
def test_critiques_help_after_bot_play_but_not_after_the_control(data_dir, build, play):
    data = read_reviews(data_dir / "aspects_cellphone", min_rating=4, core_u=5, core_i=5)
    success = {}
    for row, tuning in ROWS.items():
        agent = build(data, fine_tuning=tuning)
        for column, rules in COLUMNS.items():
            result = play(data, agent, sessions=256, **rules)
            success[row, column] = sr_final(result.ranks, 1)
            if column == "none":
                metrics = critique_metrics(result)
                assert metrics["sr_final@1"] == metrics["hr@10"]
    for cell, value in REFERENCE.items():
        if cell in success:
            # Both have a standard error of at most 1.2 points, on different splits.
            assert abs(100 * success[cell].mean() - value) < 4 * 1.2 * 2**0.5, cell
    for column in ("pop", "diff"):
        gain, control = (
            success[row, column] - success[row, "none"] for row in ("bot play, one", "control")
        )
        for values in (gain, gain - control):  # on the same sessions
            interval = mean_interval(values)
            print(column, interval)
            assert interval[0] > 0
