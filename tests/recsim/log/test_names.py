"""Names of items and users, from files into a log and out again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.errors import LogError
from recsim.log import SlateLog, read_log
from recsim.log.storage import write_log
from recsim.problem import Names, Problem

# What a CSV file can hold: no spaces at the ends, no line ends, none of the words for "missing".
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1).filter(
    lambda text: text.strip() == text and text != "-1" and text.casefold() not in MISSING
)
MISSING = ("nan", "none", "null", "nat", "<na>", "n/a", "#n/a", "undefined")
DIGITS = st.integers(0, 99).map(lambda number: f"{number:03d}")
KINDS = (WORDS, DIGITS, st.integers(0, 2**63 - 1), st.integers(0, 30).map(str))


def names_of(kind):
    return st.lists(kind, min_size=2, max_size=6, unique=True)


TABLES = st.tuples(
    st.one_of([names_of(kind) for kind in KINDS]), st.one_of([names_of(kind) for kind in KINDS])
)


def make(items, users, slots=2, seed=0) -> SlateLog:
    """Return a log in which every user and every item occurs."""
    rng = np.random.default_rng(seed)
    rows = max(len(items), len(users)) + 3
    slate = (np.arange(rows)[:, None] + np.arange(slots)) % len(items)
    clicks = rng.integers(0, 2, slate.shape).astype(np.int8)
    return SlateLog(
        problem=Problem(
            num_items=len(items),
            slate_size=slots,
            user_feature_dim=1,
            item_names=items,
            user_names=users,
        ),
        user=np.arange(rows) % len(users),
        session=np.zeros(rows, dtype=np.int64),
        day=np.zeros(rows, dtype=np.int64),
        step=np.arange(rows),
        slate=slate,
        clicks=clicks,
        feedback={"click": clicks.sum(axis=1).astype(float)},
        user_features=np.arange(len(users), dtype=np.float32)[:, None],
        propensity=np.full(slate.shape, 0.5),
    ).validate()


def facts(log: SlateLog):
    """Return who was shown what and clicked it, by name; the order of numbers does not matter."""
    frame = log.to_pandas()
    return frame[["user", "item", "click", "position", "step"]].to_dict("list")


def assert_same_names(one: SlateLog, other: SlateLog) -> None:
    for names, expected in (
        (one.item_names, other.item_names),
        (one.user_names, other.user_names),
    ):
        assert set(names) == set(expected)
        assert names.is_text == expected.is_text
    assert facts(one) == facts(other)


@given(TABLES)
@settings(max_examples=25)
def test_names_survive_a_saved_log(tmp_path_factory, tables):
    log = make(*tables)
    folder = log.save(tmp_path_factory.mktemp("log") / "saved")
    for loaded in (SlateLog.load(folder), SlateLog.concat(list(SlateLog.scan(folder, 3)))):
        assert loaded.item_names == log.item_names
        assert loaded.user_names == log.user_names
        assert facts(loaded) == facts(log)


COLUMNS = {
    "item": "item",
    "click": "click",
    "propensity": "propensity",
    "slate": "row",
    "position": "position",
    "user": "user",
    "session": "session",
    "step": "step",
}


@given(TABLES)
@settings(max_examples=25)
def test_names_survive_pandas_and_parquet(tmp_path_factory, tables):
    log = make(*tables)
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    log.to_pandas().to_parquet(path)
    assert_same_names(read_log("table", path=path, columns=COLUMNS), log)


@given(TABLES)
@settings(max_examples=25)
def test_names_survive_pandas_and_csv(tmp_path_factory, tables):
    log = make(*tables)
    path = tmp_path_factory.mktemp("log") / "log.csv"
    log.to_pandas().to_csv(path, index=False)
    # CSV has no types: text that reads as whole numbers must be declared.
    text = log.item_names.is_text or log.user_names.is_text
    log = replace(log, problem=replace(log.problem, **as_text(log))) if text else log
    assert_same_names(read_log("table", path=path, columns=COLUMNS, text_ids=text), log)


def as_text(log):
    return {
        name: [str(value) for value in getattr(log, name)] for name in ("item_names", "user_names")
    }


def test_a_log_without_names_has_numbers(random_log, tmp_path):
    log = random_log(20)
    assert log.item_names is None
    assert log.user_names is None
    assert log.to_pandas()["item"].dtype == np.int64
    loaded = SlateLog.load(log.save(tmp_path / "log"))
    assert (loaded.item_names, loaded.user_names) == (None, None)


def test_a_table_of_the_log_has_names():
    log = make(["tea", "rum"], [7, 9])
    frame = log.to_pandas()
    assert frame["item"][:2].tolist() == ["tea", "rum"]
    assert frame["user"].tolist() == np.array([7, 9])[np.repeat(log.user, 2)].tolist()
    assert frame["user"].dtype == np.int64
    # Names that were selected away are still those of the catalogue.
    assert log.select([0]).item_names is log.item_names


def test_users_of_one_name_are_one_person():
    one, two = make(["a", "b"], ["ann", "bob"]), make(["a", "b"], ["bob", "cyd"], seed=1)
    both = SlateLog.concat([one, two]).validate()
    assert list(both.user_names) == ["ann", "bob", "cyd"]
    assert both.user_features[:, 0].tolist() == [0, 1, 1]  # bob's are those of the first log
    people = both.to_pandas()["user"].tolist()
    assert people == [*one.to_pandas()["user"], *two.to_pandas()["user"]]
    again = SlateLog.concat([one, one], same_users=False)
    assert again.user_names is one.user_names


def test_logs_of_other_items_are_not_concatenated():
    one, two = make(["a", "b"], ["ann", "bob"]), make(["a", "c"], ["ann", "bob"])
    with pytest.raises(LogError, match=r"they differ in problem\.item_names"):
        SlateLog.concat([one, two])
    plain = replace(one, problem=replace(one.problem, user_names=None))
    with pytest.raises(LogError, match="only one of them has names of users"):
        SlateLog.concat([one, plain])
    numbers = replace(one, problem=replace(one.problem, user_names=[1, 2]))
    with pytest.raises(LogError, match="text in one table and numbers in another"):
        SlateLog.concat([one, numbers])


def test_chunks_of_a_saved_log_have_the_same_users(tmp_path):
    one, two = make(["a", "b"], ["ann", "bob"]), make(["a", "b"], ["bob", "ann"])
    with pytest.raises(LogError, match="its users have other names"):
        write_log(tmp_path / "log", [one, two])


def test_there_is_one_name_per_user(random_log):
    log = random_log(10, users=5)
    with pytest.raises(LogError, match="There are 2 names of users, but features of 5 users"):
        replace(log, problem=replace(log.problem, user_names=["a", "b"])).validate()
    log = random_log(10, anonymous=True)
    with pytest.raises(LogError, match="anonymous, so it cannot have names of users"):
        replace(log, problem=replace(log.problem, user_names=range(10))).validate()


def test_damaged_names_are_refused(tmp_path):
    import pyarrow.parquet as pq

    folder = make(["a", "b"], ["ann", "bob"]).save(tmp_path / "log")
    items = pq.read_table(folder / "items.parquet")
    same = items.set_column(items.column_names.index("name"), "name", [["a", "a"]])
    pq.write_table(same, folder / "items.parquet", write_page_checksum=True)
    with pytest.raises(LogError, match="damaged log: name of item 1: 'a' is there twice"):
        SlateLog.load(folder)


def test_names_are_parts_of_the_problem():
    log = make(["a", "b"], [5, 6])
    assert log.item_names is log.problem.item_names
    assert log.user_names == Names([5, 6])
