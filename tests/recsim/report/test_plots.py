import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from recsim.report import plots
from recsim.report.panels import reward_panels


def reward_curves(curves, **given):
    axis = next(iter(curves.values()))[0].index.name
    return plots.reward_curves(curves, reward_panels(axis), **given)


def curve(active, reward=None, axis="step", **columns):
    active = np.asarray(active, dtype=float)
    reward = active if reward is None else np.asarray(reward, dtype=float)
    frame = {"reward": reward, "cumulative_reward": np.cumsum(reward), "active": active}
    frame |= {"cumulative_immediate_regret": np.full(len(active), math.nan), **columns}
    return pd.DataFrame(frame, index=pd.Index(range(len(active)), name=axis))


def titles(figure):
    return [plot.get_title() for plot in figure.axes]


def test_curves_that_end_because_all_users_left_are_extended():
    left, there = curve([1.0, 0.5, 0.0]), curve([1.0, 0.8, 0.8, 0.8])
    table = plots.aligned([left, there], "active")
    assert table.tolist() == [[1, 0.5, 0, 0], [1, 0.8, 0.8, 0.8]]
    assert plots.aligned([left, there], "cumulative_reward")[0].tolist() == [1, 1.5, 1.5, 1.5]
    assert plots.aligned([left, there], "reward")[0].tolist() == [1, 0.5, 0, 0]
    # What comes after the end of a curve of active users is unknown.
    assert plots.aligned([curve([1.0, 1.0]), there], "active").shape == (2, 2)
    assert plots.aligned([left, left], "active", longest=5).shape == (2, 5)


def test_immediate_reward_is_averaged_over_active_users():
    table = plots.aligned([curve([1.0, 0.5, 0.01, 0.0], reward=[2.0, 2.0, 0.01, 0.0])], "immediate")
    assert table[0, :2].tolist() == [2.0, 4.0]
    assert np.isnan(table[0, 2:]).all()


def test_empty_panels_are_left_out():
    full = curve([1.0, 0.5], cumulative_immediate_regret=[0.1, 0.2], cumulative_return=[0.0, 1.0])
    assert len(titles(reward_curves({"a": [full]}))) == 5
    bare = reward_curves({"a": [curve([1.0, 1.0])]})
    assert len(titles(bare)) == 2
    assert not any("regret" in title or "share" in title for title in titles(bare))


def test_curves_over_rounds_have_their_own_panels():
    full = curve(
        [1.0, 0.9],
        axis="round",
        immediate_regret=[0.3, 0.2],
        cumulative_immediate_regret=[0.3, 0.5],
    )
    figure = reward_curves({"a": [full, full]})
    assert [title.partition(",")[0] for title in titles(figure)] == [
        "Reward per slate",
        "Immediate regret per slate",
        "Immediate regret so far",
        "Share of users still there\nat the end of a round",
    ]
    assert figure.axes[2].lines[0].get_ydata().tolist() == [0.3, 0.5]
    assert {plot.get_xlabel() for plot in figure.axes} == {"round"}
    hidden = curve([1.0, 1.0], axis="round", immediate_regret=[math.nan] * 2)
    assert titles(reward_curves({"a": [hidden]})) == ["Reward per slate"]


def test_curves_have_a_line_per_agent_a_band_over_seeds_and_a_legend():
    group = [curve([1.0, 1.0], reward=[x, 2 * x]) for x in (1.0, 2.0, 3.0)]
    figure = reward_curves({"a": group, "b": group[:1]}, title="demo")
    plot = figure.axes[1]
    assert [line.get_label() for line in plot.lines] == ["a", "b"]
    assert plot.lines[0].get_ydata().tolist() == [2.0, 6.0]
    assert len(plot.collections) == 1, "one seed has no band"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert plot.get_xlabel() == "step"


def test_the_front_joins_the_agents_that_are_not_dominated():
    seeds = pd.DataFrame(
        {"agent": ["a", "b", "c"], "seed": 0, "now": [1.0, 2.0, 0.5], "churned_share": [1, 2, 3.0]}
    )
    summary = seeds.melt(["agent", "seed"], var_name="metric", value_name="mean")
    summary["low"] = summary["mean"] - 0.1
    summary["high"] = summary["mean"] + 0.1
    figure = plots.front(
        seeds, summary, "now", "churned_share", lower_is_better=lambda name: name == "churned_share"
    )
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    # Fewer who leave is better: a and b, not c.
    assert dashed[0].get_xydata().tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert "churned share" in figure.axes[0].get_ylabel()
    caption = figure.legends[0].get_title().get_text().replace("\n", " ")
    assert caption == ("small dots: single seeds; bars: 95% interval; dashed: Pareto front")


def test_undominated_by_hand():
    points = np.array([[1, 1], [2, 0], [0, 2], [0, 0], [1, 1], [2, -1.0]])
    assert plots.undominated(points).tolist() == [True, True, True, False, True, False]


def values(**changes):
    rows = [
        {"case": "men", "agent": "x", "seed": 0, "estimator": "ips", "warnings": ["w"]},
        {"case": "men", "agent": "logged", "seed": "", "estimator": "mean", "warnings": []},
        {"case": "men", "agent": "reference", "seed": "", "estimator": "mean", "warnings": []},
        {"case": "women", "agent": "x", "seed": 0, "estimator": "ips", "warnings": []},
    ]
    return pd.DataFrame([{**row, "value": 0.5, "low": 0.6, "high": 0.7, **changes} for row in rows])


def test_estimates_are_drawn_with_intervals_reference_and_warnings():
    figure = plots.estimates(values())
    men, women = figure.axes
    assert (men.get_title(), women.get_title()) == ("men", "women")
    labels = [text.get_text() for text in men.get_yticklabels()]
    assert labels == ["x: ips", "logged: mean"]
    legend = [text.get_text() for text in men.get_legend().get_texts()]
    assert legend == ["reference", "with a warning"]
    assert women.get_legend() is None
    faces = [line.get_markerfacecolor() for line in men.lines if line.get_marker() in "os"]
    assert "white" in faces


def test_estimates_without_an_interval_are_drawn_as_points():
    plots.estimates(values(low=math.nan, high=math.nan))


def test_agents_differ_in_colour_or_line_style():
    labels = [str(i) for i in range(28)]
    looks = plots.looks(labels).values()
    for pair in (("color", "linestyle"), ("color", "marker")):
        assert len({tuple(look[part] for part in pair) for look in looks}) == 28
    assert len({look["marker"] for look in list(looks)[:7]}) == 7


@pytest.mark.parametrize(("agents", "letters"), [(2, 5), (24, 5), (6, 80)])
def test_legends_are_below_the_axes_and_inside_the_figure(tmp_path, agents, letters):
    labels = [f"{i:02}-" + "x" * (letters - 3) for i in range(agents)]
    seeds = pd.DataFrame({"agent": labels, "seed": 0, "now": range(agents), "later": range(agents)})
    summary = seeds.melt(["agent", "seed"], var_name="metric", value_name="mean")
    summary = summary.assign(low=summary["mean"] - 0.1, high=summary["mean"] + 0.1)
    group = [curve([1.0, 1.0])]
    for figure in (
        plots.front(seeds, summary, "now", "later", lower_is_better=lambda name: False),
        reward_curves({label: group for label in labels}),
    ):
        (tmp_path / "a.png").write_bytes(plots.png(figure))
        (legend,) = figure.legends
        box, page = legend.get_window_extent(), figure.bbox
        assert page.x0 <= box.x0, "nothing is cut off"
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        axes = [plot.get_window_extent() for plot in figure.axes]
        assert all(box.y1 < part.y0 for part in axes)
        assert all(part.height > 100 for part in axes), "the axes keep their room"


def test_the_title_of_the_legend_explains_lines_and_bands():
    two, three = [curve([1.0, 1.0])] * 2, [curve([1.0, 1.0])] * 3

    def caption(level=0.95, **curves):
        (legend,) = reward_curves(curves, level=level).legends
        return legend.get_title().get_text().replace("\n", " ")

    words = "lines: mean over {} seeds; bands: {} t interval over seeds at each point"
    assert caption(a=three, level=0.9) == words.format(3, "90%")
    assert caption(a=three, b=two) == words.format("2 to 3", "95%")
    assert caption(a=two[:1]) == "one seed each, so no bands"


def test_a_note_is_drawn_into_a_picture_and_overlaps_nothing(tmp_path):
    group = [curve([1.0, 1.0])] * 3
    figure = reward_curves({"a": group, "b": group})
    plots.add_note(figure, "Only 3 seeds: " + "many words " * 20)
    (tmp_path / "a.png").write_bytes(plots.png(figure))
    (legend,) = figure.legends
    assert "Only 3 seeds" in legend.get_title().get_text()
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert all(box.y1 < plot.get_window_extent().y0 for plot in figure.axes)
    table = pd.DataFrame({"agent": ["a"], "metric": "m", "mean": 1.0, "low": 0.5, "high": 2.0})
    bare = plots.metrics(table.assign(seeds=3), ["m"])
    plots.add_note(bare, "Only 3 seeds")
    plots.png(bare)
    note = bare.get_supxlabel()
    assert note == "Only 3 seeds"


@pytest.mark.parametrize("panels", [1, 2, 4, 5])
def test_figures_are_reproducible_byte_for_byte(tmp_path, panels):
    columns = {"cumulative_immediate_regret": [0.0, 1.0], "cumulative_return": [0.0, 1.0]}
    frame = curve([1.0, 1.0], **dict(list(columns.items())[: max(panels - 3, 0)]))
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(plots.png(reward_curves({"a": [frame, frame]}, title="t")))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert imread(tmp_path / "a.png").ndim == 3
