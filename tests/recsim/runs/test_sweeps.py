import copy

import pandas as pd
import pytest

from recsim import run_scenario, run_sweep
from recsim.errors import RunError, UserError
from recsim.files import read_csv
from recsim.run import main
from recsim.runs import work as work_module
from recsim.scenario.sweeps import load

BASE = {
    "name": "alpha",
    "description": "How much exploration?",
    "env": {"preset": "retention", "max_days": 3},
    "agents": ["random", {"name": "linucb", "label": "lin"}],
    "seeds": 2,
    "users": 5,
    "steps": 4,
}
SWEEP = {
    "grid": {"agents.lin.config.alpha": [0.1, 1.0], "users": [5, 8]},
    "select": {"metric": "reward_per_user", "agent": "lin", "seeds": 3},
}


def content(tmp_path, sweep=SWEEP, **changes):
    return {**copy.deepcopy(BASE), "output": str(tmp_path / "runs"), "sweep": sweep, **changes}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_sweep(content(tmp_path_factory.mktemp("whole")), workers=1)


def results(path):
    """The files whose bytes must not depend on how often a sweep was interrupted."""
    names = ("sweep.csv", "chosen.csv", "sweep.yaml")
    return {name: (path / name).read_bytes() for name in names[:2]}


def test_the_table_has_the_numbers_of_the_scenarios(whole, tmp_path):
    table = whole.table
    assert list(table.columns[:4]) == ["point", "agents.lin.config.alpha", "users", "agent"]
    changed = {k: v for k, v in content(tmp_path, users=8).items() if k != "sweep"}
    changed["agents"][1]["config"] = {"alpha": 0.1}
    alone = run_scenario(changed, workers=1)
    written = read_csv(alone.folder.path / "summary.csv")
    mine = table[table["point"] == 1].drop(columns=table.columns[:3]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, written, check_exact=True)
    pd.testing.assert_frame_equal(read_csv(whole.path / "sweep.csv"), table)


def test_the_best_point_is_measured_with_new_seeds(whole, tmp_path):
    rows = whole.table.query("agent == 'lin' and metric == 'reward_per_user'")
    best = rows.loc[rows["mean"].idxmax()]
    assert whole.chosen == {
        "agents.lin.config.alpha": best["agents.lin.config.alpha"],
        "users": best["users"],
    }
    chosen = read_csv(whole.path / "chosen.csv")
    row = chosen.query("agent == 'lin' and metric == 'reward_per_user'").iloc[0]
    assert row["mean"] == best["mean"]
    changed = {k: v for k, v in content(tmp_path).items() if k != "sweep"}
    changed |= {"seeds": [2, 3, 4], "users": int(best["users"])}
    changed["agents"][1]["config"] = {"alpha": float(best["agents.lin.config.alpha"])}
    table = read_csv(run_scenario(changed, workers=1).folder.path / "summary.csv")
    again = table.query("agent == 'lin' and metric == 'reward_per_user'").iloc[0]
    assert row["mean_new"] == again["mean"]
    assert (row["low_new"], row["high_new"]) == (again["low"], again["high"])
    report = (whole.path / "report.html").read_text()
    assert "too good on average" in report
    assert "new seeds" in report


def test_lower_is_better_where_it_is(tmp_path):
    select = {"metric": "churned_share", "agent": "lin", "seeds": 0}
    run = run_sweep(content(tmp_path, SWEEP | {"select": select}), workers=1)
    rows = run.table.query("agent == 'lin' and metric == 'churned_share'")
    assert run.chosen["users"] == rows.loc[rows["mean"].idxmin(), "users"]
    assert not (run.path / "chosen.csv").exists()


def test_an_interrupted_sweep_ends_with_the_same_bytes(
    whole, tmp_path, monkeypatch, interrupt_after
):
    given, run_trial = content(tmp_path), work_module.run_trial
    interrupt_after(6, lambda: run_sweep(given, workers=1))
    (path,) = (tmp_path / "runs" / "alpha").iterdir()
    assert not (path / "sweep.csv").exists()
    again = []
    monkeypatch.setattr(
        work_module, "run_trial", lambda folder, t: (again.append(t), run_trial(folder, t))
    )
    run = run_sweep(given, workers=1, resume=True)
    assert run.path == path
    assert len(again) == 4 * 4 + 6 - 6
    assert results(path) == results(whole.path)
    # A third time nothing is left to do.
    again.clear()
    run_sweep(given, workers=1, resume=path)
    assert not again
    assert results(path) == results(whole.path)


def test_the_folder_of_another_sweep_is_refused(whole, tmp_path):
    other = content(tmp_path, users=9)
    with pytest.raises(RunError, match="belongs to another sweep"):
        run_sweep(other, resume=whole.path)
    with pytest.raises(RunError, match="nothing to resume"):
        run_sweep(other, resume=True)
    with pytest.raises(RunError, match="is not the folder of a sweep"):
        run_sweep(other, resume=tmp_path)
    with pytest.raises(UserError, match="has no 'sweep'"):
        run_sweep({k: v for k, v in other.items() if k != "sweep"})


def test_from_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(
        "name: s\ndescription: d\nenv: {preset: retention, max_days: 2}\nagents: [random]\n"
        "seeds: 2\nusers: 5\nsteps: 3\nsweep: {grid: {users: [4, 5]}}\n"
    )
    assert main(["s.yaml", "--validate"]) == 0
    assert "2 points of 2 trials" in capsys.readouterr().out
    assert main(["s.yaml", "--workers", "1"]) == 0
    output = capsys.readouterr().out
    assert "point 1: users=5" in output
    assert "2 points, mean over 2 seeds" in output
    (path,) = (tmp_path / "runs" / "s").iterdir()
    assert main(["--resume", str(path)]) == 0
    assert main(["s.yaml", "--resume"]) == 0
    assert len(list((tmp_path / "runs" / "s").iterdir())) == 1
    assert main(["s.yaml", "sweep.grid={user: [1]}"]) == 2
    assert "Did you mean 'users'" in capsys.readouterr().err
    assert len(list((tmp_path / "runs" / "s").iterdir())) == 1


OPTUNA = {
    "optuna": {
        "space": {
            "agents.lin.config.alpha": {"low": 0.01, "high": 10.0, "log": True},
            "users": {"low": 4, "high": 9},
            "steps": [3, 4],
        },
        "trials": 5,
        "seed": 3,
    },
    "select": {"metric": "reward_per_user", "agent": "lin", "seeds": 2},
}


def test_optuna_chooses_the_same_points_again(tmp_path, interrupt_after):
    pytest.importorskip("optuna", reason="the extra 'optuna' is not installed")
    first = run_sweep(content(tmp_path / "a", OPTUNA), workers=1)
    points = first.table.drop_duplicates("point")
    assert len(points) == 5
    assert points["users"].between(4, 9).all()
    assert points["agents.lin.config.alpha"].between(0.01, 10).all()
    assert len(set(points["agents.lin.config.alpha"])) == 5
    given = content(tmp_path / "b", OPTUNA)
    interrupt_after(9, lambda: run_sweep(given, workers=1))
    second = run_sweep(given, workers=1, resume=True)
    assert results(first.path) == results(second.path)


def test_without_optuna_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("recsim.scenario.sweeps.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'slaterec\[optuna\]'"):
        run_sweep(content(tmp_path, OPTUNA))
    assert not (tmp_path / "runs").exists()


def test_a_sweep_is_read_again_from_its_folder(whole):
    again = load(whole.path / "sweep.yaml")
    assert f"-{again.digest()}" in whole.path.name
