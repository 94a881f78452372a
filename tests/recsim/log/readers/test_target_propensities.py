import numpy as np
import pandas as pd
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, read_log

FRAME = pd.DataFrame(
    {"slate": [0, 0, 1], "sku": ["a", "b", "a"], "click": [1, 0, 1], "p": [0.5, 0.5, 0.25]}
).assign(p_new=[1.0, 0.0, 0.75], p_old=[0.25, 0.5, 0.5])
COLUMNS = {"item": "sku", "click": "click", "propensity": "p", "slate": "slate"}


def read(target, **options):
    return read_log("table", data=FRAME, columns={**COLUMNS, "target_propensity": target})


def test_a_column_is_a_policy_of_its_name():
    log = read("p_new")
    assert list(log.target_propensities) == ["p_new"]
    assert log.target_propensities["p_new"].tolist() == [[1.0, 0.0], [0.75, 1.0]]  # 1 at padding


def test_several_policies_have_names():
    log = read({"new": "p_new", "old": "p_old"})
    assert log.target_propensities["old"].tolist() == [[0.25, 0.5], [0.5, 1.0]]
    assert "target_propensities.old" in repr(log)
    assert log.to_pandas()["target_propensity.new"].tolist() == [1.0, 0.0, 0.75]


def test_other_layouts_have_a_column_per_slot_or_lists(tmp_path):
    columns = {"item": ["i", "j"], "click": ["c", "d"], "target_propensity": {"new": ["q", "r"]}}
    wide = pd.DataFrame({"i": ["a"], "j": ["b"], "c": [1], "d": [0], "q": [0.5], "r": [0.0]})
    log = read_log("table", data=wide, columns=columns, layout="columns")
    assert log.target_propensities["new"].tolist() == [[0.5, 0.0]]
    (tmp_path / "lists.csv").write_text("i,c,q\na|b,1|0,0.5|0\n")
    columns = {"item": "i", "click": "c", "target_propensity": "q"}
    log = read_log("table", path=tmp_path / "lists.csv", columns=columns, layout="lists")
    assert log.target_propensities["q"].tolist() == [[0.5, 0.0]]


def test_they_survive_selection_concatenation_and_widening():
    log = read("p_new")
    assert log.select([1]).target_propensities["p_new"].tolist() == [[0.75, 1.0]]
    twice = SlateLog.concat([log, log])
    assert twice.target_propensities["p_new"][2:].tolist() == [[1.0, 0.0], [0.75, 1.0]]
    assert log.widened(3).target_propensities["p_new"][0].tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(LogError, match=r"the target_propensities are \['p_old'\], not \['p_new'\]"):
        SlateLog.concat([log, read("p_old")])


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "x", np.nan])
def test_what_is_no_probability_is_refused_with_its_line(tmp_path, wrong):
    path = tmp_path / "log.csv"
    FRAME.astype({"p_new": object}).assign(p_new=[1.0, wrong, 0.5]).to_csv(path, index=False)
    with pytest.raises(LogError, match="line 3, column 'p_new'"):
        read_log("table", path=path, columns={**COLUMNS, "target_propensity": {"new": "p_new"}})


def test_a_missing_column_is_named():
    with pytest.raises(LogError, match=r"no column 'p_nwe'\. Did you mean 'p_new'"):
        read({"new": "p_nwe"})
