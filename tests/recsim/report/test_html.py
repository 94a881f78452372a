import base64
import math
import re

import pandas as pd
import pytest

from recsim.runs.folder import RunFolder
from recsim.runs.work import summarise
from recsim.scenario.kinds import parse_scenario
from recsim.scenario.trial import TrialResult

CURVE = pd.DataFrame(
    {"reward": [1.0, 0.5], "cumulative_reward": [1.0, 1.5], "active": [1.0, 0.5]},
    index=pd.Index([0, 1], name="step"),
)
VALUE = {
    "agent": "random",
    "seed": 0,
    "estimator": "ips",
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "n": 10,
    "ess": 5.0,
    "effective_terms": 4.0,
    "max_weight": 3.0,
    "clip": math.inf,
    "clipped_share": 0.0,
    "unsupported": 0,
    "warnings": ["it hangs on one row"],
}


def write(run):
    summarise(run)
    return sorted(path for path in run.path.iterdir() if path.suffix in {".png", ".html"})


@pytest.fixture
def run(tmp_path):
    content = {
        "name": "demo",
        "description": "d",
        "question": "Is 1 < 2 & so on?",
        "env": {},
        "agents": ["random", "linucb"],
        "seeds": 2,
        "output": str(tmp_path),
    }
    return RunFolder.create(parse_scenario(content))


def fill(run, without=()):
    for trial in run.scenario.trials():
        if trial in without:
            continue
        numbers = {"early_reward_per_step": 1.0 + trial.seed, "reward_per_user": 2.0}
        run.write(trial, TrialResult({"metrics": numbers}, CURVE))


def test_the_report_is_self_contained(run):
    fill(run)
    files = write(run)
    assert [path.name for path in files] == ["curves.png", "front.png", "report.html"]
    text = files[-1].read_text()
    embedded = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert [base64.b64decode(one) for one in embedded] == [p.read_bytes() for p in files[:2]]
    assert "http" not in text.replace("http-equiv", "")
    assert len(re.findall(r"<(?:img|script|link)[^>]*(?:src|href)=\"(?!data:)", text)) == 0


def test_the_report_has_the_question_and_the_results(run):
    fill(run)
    text = write(run)[-1].read_text()
    assert '<p class="question">Is 1 &lt; 2 &amp; so on?</p>' in text
    assert "<td>2 [-5, 8]</td>" in text
    assert "linucb - random" in text
    assert "<td>equal in all 2</td>" in text
    assert '<th class="left">agent</th><th>seeds</th>' in text
    assert '<td class="left">random</td><td>2</td>' in text
    assert "Only 2 seeds: an interval holds" in text
    assert run.info["digest"] in text
    assert "Not finished" not in text


def test_the_report_lists_unfinished_trials(run):
    fill(run, without=run.scenario.trials()[2:])
    text = write(run)[-1].read_text()
    assert "Not finished: linucb, seed 0." in text
    assert "Not finished: linucb, seed 1." in text


def test_a_run_without_results_has_a_report(run):
    assert "No trial has finished." in write(run)[-1].read_text()


def test_estimates_are_shown_with_their_warnings(tmp_path):
    data = {"reader": "r", "path": "p", "each": {"campaign": ["men", "women"]}}
    content = {"name": "demo", "description": "d", "data": data, "agents": ["random"]}
    run = RunFolder.create(parse_scenario({**content, "output": str(tmp_path)}))
    for trial in run.scenario.trials():
        mean = VALUE | {"agent": "logged", "seed": "", "estimator": "mean", "warnings": []}
        run.write(trial, TrialResult({"values": [VALUE], "log": [mean]}))
    files = write(run)
    assert [path.name for path in files] == ["estimates.png", "report.html"]
    text = files[-1].read_text()
    assert "men, random, ips: it hangs on one row" in text
    left = '<td class="left">{}</td>'
    assert "".join(map(left.format, ("women", "random", "ips !"))) in text
    assert "".join(map(left.format, ("women", "(as logged)", "mean"))) in text
    assert "<th>impressions</th>" in text


def test_a_single_log_is_shown_without_a_name(tmp_path):
    data = {"reader": "r", "path": "p"}
    content = {"name": "demo", "description": "d", "data": data, "agents": ["random"]}
    run = RunFolder.create(parse_scenario({**content, "output": str(tmp_path)}))
    (trial,) = run.scenario.trials()
    run.write(trial, TrialResult({"values": [VALUE | {"warnings": []}], "log": []}))
    text = write(run)[-1].read_text()
    assert '<td class="left">random</td><td class="left">ips</td>' in text
    assert "ips !" not in text
