import pandas as pd
import pytest

from recsim.log.readers.finn_layout import write_finn
from recsim.run import main
from reproductions.gru_thompson.distance import DistanceWorld


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file in the layout of FINN.no: people who click what is near them."""
    cohort = DistanceWorld(num_items=60, num_groups=6, slate_size=5, nothing=-1.0).start(300, 0)
    cohort.log_for(12)
    return write_finn(tmp_path_factory.mktemp("finn"), cohort.to_log())


def test_strategies_are_judged_on_people_never_met(tmp_path, folder):
    greedy = "{policy: greedy, state: linear, dim: 2, steps: 150, likelihood_temperature: 0.1}"
    arguments = [
        "finn",
        f"data.path={folder}",
        "data.users=300",
        "holdout.users=0.3",
        "holdout.cutoffs=[1, 5]",
        "agents=[random, popularity, mnl_bandit, "
        f"{{name: gru_thompson, label: greedy, config: {greedy}}}, "
        f"{{name: gru_thompson, label: in_slate, config: {greedy.replace('greedy', 'in_slate')}}}]",
        "seeds=1",
        f"output={tmp_path}",
        "--workers",
        "1",
    ]
    assert main(arguments) == 0
    (run,) = (tmp_path / "finn").glob("*")
    recall = pd.read_csv(run / "seeds.csv").set_index("agent")["recall@5"]
    # Chance puts a clicked item among 5 of 60 with probability 1 / 12.
    assert recall["random"] == pytest.approx(1 / 12, abs=0.04)
    for label in ("greedy", "in_slate"):
        assert recall[label] > recall["random"] + 0.05
        assert recall[label] > recall["popularity"] + 0.03


def test_the_scenario_as_it_is_can_be_run(folder, capsys):
    changes = [f"data.path={folder}", "holdout.cutoffs=[1, 5]"]
    assert main(["finn", *changes, "--validate"]) == 0
    assert main(["finn", f"data.path={folder}/nowhere", "--validate"]) == 2
    assert "data.npz does not exist" in capsys.readouterr().err
