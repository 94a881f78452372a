"""Names of items and users."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.errors import UserError
from recsim.problem import Names, Problem
from recsim.problem.names import joined

TEXT = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), unique=True)
WHOLE = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True)


def problem(items=2, **names):
    return Problem(
        num_items=items,
        **names,
    )


@given(st.one_of(TEXT, WHOLE), st.randoms())
def test_numbers_and_names_are_inverse(values, random):
    names = Names(values)
    assert list(names) == values
    assert names.is_text == (bool(values) and isinstance(values[0], str))
    wanted = values * 2
    random.shuffle(wanted)
    numbers = names.numbers(np.array(wanted, dtype=object).reshape(2, -1))
    assert numbers.shape == (2, len(values))
    assert names.at(numbers).reshape(-1).tolist() == wanted
    assert Names(names.plain()) == names == pickle.loads(pickle.dumps(names))


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2],
        range(1, 4),
        np.array([3, 1], dtype=np.uint16),
        pd.Series([3, 1]),
        np.array([3, 1], dtype=object),
    ],
)
def test_whole_numbers_of_any_type_are_whole_numbers(values):
    names = Names(values)
    assert names.values.dtype == np.int64
    assert names.values.tolist() == list(values)


@pytest.mark.parametrize(
    "values",
    [
        ["007", "7"],
        ("007", "7"),
        np.array(["007", "7"]),
        np.array(["007", "7"], dtype=object),
        pd.Series(["007", "7"]),
        pd.Index(["007", "7"]),
        pd.Series(["007", "7"], dtype="category"),
    ],
)
def test_text_of_any_type_is_text(values):
    names = Names(values)
    assert names.is_text
    assert [type(name) for name in names] == [str, str]
    assert list(names) == ["007", "7"]
    assert names.numbers("7") == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", 1], "name of item 1: 1 is a number, and the first name is not"),
        ([1, "1"], "name of item 1: '1' is text, and the first name is not"),
        (["a", "b", "a"], "name of item 2: 'a' is there twice"),
        ([4, 4], "name of item 1: 4 is there twice"),
        ([1, 2.0], "name of item 1: 2.0 is neither text nor a whole number"),
        (np.array([1.0, 2.0]), "name of item 0: 1.0 is neither text nor a whole number"),
        ([1, True], "name of item 1: True is neither text nor a whole number"),
        (["a", None], "name of item 1: None is neither text nor a whole number"),
        (pd.Series(["a", np.nan]), "name of item 1: nan is neither text nor a whole number"),
        (["a", b"b"], "name of item 1: b'b' is neither text nor a whole number"),
        (["a", ""], "name of item 1: '' is empty"),
        (["a", "\ud800"], "cannot be written as UTF-8"),
        ([2**63], "name of item 0: 9223372036854775808 exceeds 64 bits: write it as text"),
        (np.array([2**63], dtype=np.uint64), "exceeds 64 bits"),
        (np.zeros((2, 2), dtype=np.int64), "must be one list, not 2 dimensions"),
        ([["a"], ["b"]], "must be one list, not 2 dimensions"),
        ("abc", "must be a list or an array, not the text 'abc'"),
    ],
)
def test_what_is_no_list_of_names_is_refused(values, message):
    with pytest.raises(UserError) as error:
        Names(values)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        (["apple", "pear"], "aple", "there is no item 'aple'. Did you mean 'apple'?"),
        (["apple", "pear"], "kiwi", "no item 'kiwi'. There are 2 items, such as 'apple', 'pear'."),
        ([10, 20], 30, "there is no item 30. There are 2 items, such as 10, 20."),
        ([10, 20], "20", "no item '20': names are whole numbers. Did you mean 20?"),
        ([10, 20], 20.0, "no item 20.0: names are whole numbers. Did you mean 20?"),
        ([0, 1], True, "there is no item True"),
        (["10", "20"], 20, "no item 20: names are text. Did you mean '20'?"),
        (["10", "20"], None, "there is no item None"),
        (["A2", "B7"], " a2", "no item ' a2'. Did you mean 'A2'?"),
        (["010", "020"], "20", "no item '20'. Did you mean '020'?"),
        (["010", "020"], 20, "no item 20. Did you mean '020'?"),
        ([f"item {number}" for number in range(30_000)], "item 29999x", "Did you mean 'item"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(values, name, message):
    names = Names(values)
    with pytest.raises(UserError) as error:
        names.numbers([values[0], name])
    assert message in str(error.value)
    assert names.numbers([values[0], name], unknown="ignore").tolist() == [0, -1]
    assert names.numbers(np.array([30, 31]), unknown="ignore").tolist() == [-1, -1]


def test_names_cannot_be_changed():
    values = np.array(["a", "b"], dtype=object)
    names = Names(values)
    values[0] = "c"
    assert list(names) == ["a", "b"]
    with pytest.raises(ValueError, match="read-only"):
        names.values[0] = "c"
    assert copy.deepcopy(names) == names


def test_padding_has_no_name():
    assert Names([5, 6]).at(np.array([[1, -1]])).tolist() == [[6, None]]


@given(st.lists(WHOLE, min_size=1, max_size=3))
def test_joined_names_are_those_of_all_tables(tables):
    together, numbers = joined([Names(table) for table in tables])
    assert list(together) == list(dict.fromkeys(name for table in tables for name in table))
    for table, number in zip(tables, numbers, strict=True):
        assert [together[place] for place in number] == table


def test_text_and_numbers_are_not_joined():
    with pytest.raises(UserError, match="text in one table and numbers in another"):
        joined([Names(["1"]), Names([1])])


def test_a_problem_turns_lists_into_names():
    named = problem(item_names=["a", "b"], user_names=[3])
    assert named.item_names == Names(["a", "b"])
    assert named.user_names[0] == 3
    assert Problem.of_plain(named.plain()).item_names == named.item_names
    assert problem().item_names is None
    with pytest.raises(UserError, match="item_names has 1 names, but there are 2 items"):
        problem(item_names=["a"])
    with pytest.raises(UserError, match="name of user 1: 3 is there twice"):
        problem(user_names=[3, 3])
