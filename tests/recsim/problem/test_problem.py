import numpy as np
import pytest

from recsim.errors import UserError
from recsim.problem import Problem


def test_by_default_the_whole_catalogue_is_offered_one_item_at_a_time():
    problem = Problem(3)
    assert problem.slate_size == 1
    assert problem.num_candidates == 3
    assert problem.user_feature_dim == 0
    assert problem.item_features.shape == (3, 0)
    assert problem.item_features.dtype == np.float32
    assert problem.item_groups.tolist() == [0, 0, 0]
    assert problem.rewards == {"click": 1.0}
    assert problem.item_names is None


def test_rewards_of_two_problems_are_apart():
    first, second = Problem(3), Problem(3)
    first.rewards["watch"] = 1.0
    assert second.rewards == {"click": 1.0}


def test_plain_fields_build_the_same_problem():
    problem = Problem(2, num_candidates=1, item_groups=np.array([1, 0]), item_names=["a", "b"])
    again = Problem.of_plain(problem.plain())
    assert again.num_candidates == 1
    assert again.item_groups.tolist() == [1, 0]
    assert again.item_names == problem.item_names


@pytest.mark.parametrize("name", ["num_items", "rewards", "item_features"])
def test_plain_fields_take_no_defaults(name):
    values = Problem(2).plain()
    del values[name]
    with pytest.raises(UserError, match=f"not complete: missing {name}"):
        Problem.of_plain(values)
    with pytest.raises(UserError, match="unknown other"):
        Problem.of_plain({**Problem(2).plain(), "other": 1})


def test_plain_fields_of_before_names_are_complete():
    values = Problem(2).plain()
    del values["item_names"], values["user_names"]
    assert Problem.of_plain(values).num_items == 2
