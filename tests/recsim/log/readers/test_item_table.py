"""The table of items: features, categories, groups, and what is wrong with a file."""

import numpy as np
import pandas as pd
import pytest

import agents
from recsim.errors import LogError
from recsim.log import make_reader
from recsim.log.readers.item_table import ItemTable, read_items

ITEMS = """\
genre,item,price,new,brand
toy|game,b,3,true,x
book,c,1.5,false,
,a,2,true,y
toy,z,9,true,w
"""
EVENTS = "user,item,timestamp\n" + "\n".join(
    f"{user},{item},{time}" for user in "uv" for time, item in enumerate("abcb")
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "lines.txt").write_text("u a b c b\nv a b c b\n")
    return tmp_path


def problem(name="events", path="events.csv", **options):
    return make_reader(name, path=path, **options).read().problem


# Items a, b, c: price, new; then book, game, toy; then x, y. Item z has no event.
EVERY = [[2, 1, 0, 0, 0, 0, 1], [3, 1, 0, 1, 1, 1, 0], [1.5, 0, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize("source", [("events", "events.csv"), ("sequences", "lines.txt")])
def test_all_columns_of_a_path_are_read(place, source):
    found = problem(*source, items="items.csv")
    assert found.item_features.tolist() == EVERY
    # The first genre: book 0, toy 1; item a has none and is of the last group.
    assert found.item_groups.tolist() == [3, 2, 0]
    assert found.item_names.values.tolist() == ["a", "b", "c"]
    assert problem(*source).item_features.shape == (3, 0)


def test_only_named_columns_are_read(place):
    items = {"path": "items.csv", "features": ["price"], "group": "brand"}
    found = problem(items=items)
    assert found.item_features.tolist() == [[2], [3], [1.5]]
    assert found.item_groups.tolist() == [1, 0, 2]
    both = problem(items={**items, "all_columns": True})
    assert both.item_features.shape == (3, 5)
    assert both.item_groups.tolist() == [1, 0, 2]
    # Numbers that are named as categories are such.
    codes = problem(items={"path": "items.csv", "categories": ["price"]})
    assert codes.item_features.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_parquet_with_lists_and_missing_values_gives_the_same(place):
    frame = pd.read_csv("items.csv").astype({"new": bool})
    frame["genre"] = [text.split("|") if isinstance(text, str) else None for text in frame["genre"]]
    frame.to_parquet("items.parquet")
    found = problem(items="items.parquet")
    assert found.item_features.tolist() == EVERY
    assert found.item_groups.tolist() == [3, 2, 0]


def test_the_column_of_ids_is_that_of_the_events(place):
    for name in ("events.csv", "items.csv"):
        (place / name).write_text((place / name).read_text().replace("item", "sku", 1))
    assert problem(item="sku", items="items.csv").item_features.tolist() == EVERY
    (place / "events.csv").write_text(EVENTS)
    named = {"path": "items.csv", "item": "sku", "all_columns": True}
    assert problem(items=named).item_features.tolist() == EVERY


def test_rare_items_leave_no_empty_column(place):
    (place / "events.csv").write_text(EVENTS + "\nu,z,9")
    assert problem(items="items.csv").item_features.shape == (4, 8)  # brand w too
    assert problem(items="items.csv", k_core=2).item_features.tolist() == EVERY


def test_a_catalogue_of_a_table_may_have_several_categories(place):
    columns = {"item": "item", "feedback": {"at": "timestamp"}}
    items = {"path": "items.csv", "categories": ["genre"]}
    log = make_reader("table", path="events.csv", columns=columns, items=items).read()
    assert log.problem.item_features.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("c,1.5", "d,1.5", r"events.csv, line 4, column 'item': 'c' is not an item of items.csv"),
        ("book,c", "book,b", r"items.csv, line 3, column 'item': 'b' is listed twice"),
        ("book,c", "book,", r"items.csv, line 3, column 'item': '' is empty, but must be an id"),
        ("1.5", "cheap", r"line 3, column 'price': 'cheap' is not a finite.*in items.categories"),
        ("1.5", "", r"line 3, column 'price': the entry is missing"),
        ("1.5", "nan", r"line 3, column 'price': 'nan' is not a finite number"),
        ("false,", "false,None", r"line 3, column 'brand': 'None' in the list is not an id, but"),
        ("item", "itm", r"items.csv has no column 'item'. Did you mean 'itm'\?"),
        ("book,c,1.5", "book,c", r"items.csv, line 3: 4 fields, but the header names 5"),
    ],
)
def test_what_is_wrong_is_named(place, old, new, message):
    (place / "items.csv").write_text(ITEMS.replace(old, new, 1))
    with pytest.raises(LogError, match=message):
        problem(items="items.csv")


def test_missing_files_columns_and_options_are_named(place):
    with pytest.raises(LogError, match=r"nowhere.csv does not exist. Give the table of items as"):
        problem(items="nowhere.csv")
    with pytest.raises(LogError, match=r"no column 'genres'. Did you mean 'genre'\?"):
        problem(items={"path": "items.csv", "categories": ["genres"]})
    with pytest.raises(LogError, match=r"events.items.category: unknown key.*'categories'"):
        problem(items={"path": "items.csv", "category": ["genre"]})
    (place / "items.csv").write_text("item\na\nb\n")
    with pytest.raises(LogError, match=r"lines.txt, line 1: 'c' is not an item of items.csv"):
        problem("sequences", "lines.txt", items="items.csv")


def test_titles_are_not_taken_for_categories(tmp_path):
    path = tmp_path / "items.csv"
    lines = [f"{number},title {number},{number % 3}x" for number in range(50)]
    path.write_text("item,title,kind\n" + "\n".join(lines))
    with pytest.raises(LogError, match=r"column 'title': 50 different values for 50 items are too"):
        read_items(ItemTable(path=path, all_columns=True), "item", ",")
    path.write_text(path.read_text().replace("title 7", "[REC] (2007)"))
    with pytest.raises(LogError, match=r"'\[REC\] \(2007\)' is not a list .* Name the columns to"):
        read_items(ItemTable(path=path, all_columns=True), "item", ",")
    path.write_text(path.read_text().replace("[REC] (2007)", "title 7"))
    named = read_items(ItemTable(path=path, categories=("title",)), "item", ",")
    np.testing.assert_array_equal(named.features.sum(axis=1), np.ones(50))


def test_agents_may_learn_from_features_of_items(place):
    log = make_reader("events", path="events.csv", items="items.csv").read()
    agent = agents.make("sasrec", log.problem, item_inputs="metadata", dim=8, steps=2)
    agent.fit(log)
    assert np.isfinite(agent.scores(log.observations())).all()
