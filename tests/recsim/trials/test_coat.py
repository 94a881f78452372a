import pandas as pd
import pytest

from recsim.run import main


def test_agents_fitted_on_chosen_coats_are_judged_on_random_ones(tmp_path, data_dir, capsys):
    arguments = [
        "coat",
        f"data.path={data_dir / 'coat'}",
        "seeds=1",
        f"output={tmp_path}",
        "--workers",
        "1",
    ]
    assert main(arguments) == 0
    (folder,) = (tmp_path / "coat").glob("*")
    table = pd.read_csv(folder / "summary.csv").set_index(["agent", "estimator"])
    random = table.loc[("random", "ips")]
    assert random["value"] == pytest.approx(860 / 4640)
    for label in ("popularity", "rel_mf", "mf", "wmf", "expomf"):
        ips, snips = table.loc[(label, "ips")], table.loc[(label, "snips")]
        # Every user's 16 coats are all candidates, so the weights sum to their number.
        assert ips["value"] == pytest.approx(snips["value"])
        assert ips["ess"] == pytest.approx(290)
        assert ips["low"] > random["value"]
