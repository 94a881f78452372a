import numpy as np

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
    again = Problem(**problem.plain())
    assert again.num_candidates == 1
    assert again.item_groups.tolist() == [1, 0]
    assert again.item_names == problem.item_names
