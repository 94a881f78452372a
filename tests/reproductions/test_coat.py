import numpy as np
import pandas as pd
import pytest
import torch

from reproductions.unbiased import coat


@pytest.fixture(scope="module")
def data(data_dir) -> coat.Coat:
    """The data prepared for both protocols."""
    return coat.prepare(data_dir / "coat")


def test_the_split_is_the_published_one(data):
    # Counts of the authors' own preprocessing.
    assert len(data.clicks) == 1341
    assert len(data.validation) == 2030
    assert data.validation[:, 2].sum() == 564
    assert len(data.test.click) == 4640
    held_out = data.clicks.contains(*torch.from_numpy(data.validation[:, :2]).T)
    assert held_out.sum() == 0


@pytest.mark.parametrize("build", [coat.published_validation, coat.sound_validation])
def test_validation_prefers_the_held_out_clicks(data, build):
    validate = build(data)
    user, item, liked = data.validation.T
    scores = np.random.default_rng(0).random((290, 300)).astype(np.float32)
    at_random = validate(scores)
    scores[user[liked == 1], item[liked == 1]] += 1
    assert validate(scores) > 3 * at_random


def test_an_epoch_goes_through_every_pair_once(data):
    pairs = [users * 300 + items for users, items in coat.epochs(data, seed=0, count=2)]
    assert len(pairs) == 2 * 85
    for half in (pairs[:85], pairs[85:]):
        assert torch.equal(torch.cat(half).sort().values, torch.arange(87_000))
    assert not torch.equal(pairs[0], pairs[85])


def test_a_trace_has_a_row_for_every_epoch(data):
    rows = coat.trace(data, "MF", seeds=1, count=2)
    assert rows.index.tolist() == [1, 2]
    assert list(rows.columns) == coat.METRICS
    assert rows.to_numpy().min() > 0.05


def test_users_who_like_nothing_score_zero_or_are_skipped(data):
    perfect = np.zeros((290, 300))
    perfect[data.test.user, data.test.item] = data.test.click
    assert coat.evaluate(data, perfect, published=False)[:3] == pytest.approx([1, 1, 1])
    # 53 of the 290 like none of their 16.
    assert coat.evaluate(data, perfect, published=True)[0] == pytest.approx(237 / 290)


def test_a_short_run_gives_a_table_that_says_what_was_not_reached(data, monkeypatch):
    fit = coat.fit
    monkeypatch.setattr(coat, "fit", lambda *arguments: fit(*arguments, count=1))
    rows = coat.run(data, "published", "Rel-MF", seeds=2)
    assert list(rows.columns) == [*coat.METRICS, "epoch"]
    lines = coat.table({"Rel-MF": rows}, published=True).splitlines()
    assert lines[3].startswith("| Rel-MF, published | 0.3959 | 0.3659 |")
    rows[coat.METRICS] = [[0.5, 0.3, 0.3922, 0.4, 0.2], [0.5, 0.3, 0.3922, 0.4, 0.2]]
    lines = coat.table({"Rel-MF": rows}, published=True).splitlines()
    assert lines[4] == "| | reached | **not reached** | reached | reached | **not reached** | |"
    assert "published" not in coat.table({"Rel-MF": rows}, published=False)


def test_all_methods_are_compared_within_seeds():
    one = pd.DataFrame({"ndcg@5": [0.1, 0.2, 0.3]})
    other = pd.DataFrame({"ndcg@5": [0.15, 0.2, 0.25]})
    results = {"A": one, "B": one + 0.1, "C": other}
    lines = coat.differences(results, ["ndcg@5"]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| A - B", "| A - C", "| B - C"]
    assert lines[3] == "| A - C | +0.0000 ±0.1242 |"
