"""The table of learners of stable-baselines3 has a line for every learner and budget."""

import pytest
import torch

from benchmarks.sb3 import table

torch.set_num_threads(1)


@pytest.mark.slow
def test_every_learner_has_a_line_for_each_budget(monkeypatch):
    monkeypatch.setattr("benchmarks.sb3.SERVED", 16)
    monkeypatch.setattr("benchmarks.sb3.COHORT", 4)
    learners = ["random", "popularity", "linucb", "PPO, features, ScoringPolicy"]
    lines = list(table(learners, "boredom", [1024, 2048], [0, 1]))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    slates = {}
    for name, count, reward, interval in rows:
        slates.setdefault(name, []).append(int(count.replace(",", "")))
        low, high = map(float, interval.split(" to "))
        assert low < float(reward) < high
    assert slates.pop("random") == [0]
    assert len(slates.pop("popularity")) == 1
    assert list(slates) == learners[2:]
    for first, second in slates.values():
        assert 1024 <= first <= 2048 <= second < 4100
