"""Catalogues and users of one's own: from files, data frames and arrays; damaged ones."""

import copy
import pickle

import array_api_compat.numpy as xp
import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env

from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.world.backend import Backend
from envs.world.config import WorldConfig
from envs.world.own_items import TableCatalogue
from envs.world.own_users import TablePopulation
from envs.world.presets import Preset, override
from envs.world.tables import projected, standardised
from recsim.draws import Draws, chain, key_of
from recsim.errors import EnvError

ITEMS = """item,group,price,quality,minutes,colour
tea,drinks,2.5,0.9,3,red
rice,food,1.0,0.2,2,blue
wine,drinks,9.5,0.5,8,red
"""
USERS = """user,group,age,plan,weight
ann,food,20,free,1
bob,drinks,40,paid,3
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "users.csv").write_text(USERS)
    return {
        "catalogue": {"path": str(tmp_path / "items.csv")},
        "population": {"path": str(tmp_path / "users.csv")},
    }


def draws_of(users):
    return Draws(chain(key_of(0, "test"), np.arange(users)))


def test_columns_of_a_catalogue_have_their_roles(files):
    items = TableCatalogue(**files["catalogue"]).draw()
    assert list(items.names) == ["tea", "rice", "wine"]
    assert items.group_names == ("drinks", "food")
    assert items.group.tolist() == [0, 1, 0]
    assert items.quality == pytest.approx([0.9, 0.2, 0.5])
    assert items.minutes == pytest.approx([3, 2, 8])
    assert items.columns["price"] == pytest.approx([2.5, 1.0, 9.5])
    # The standardised price, and one column for each of blue and red.
    price = (np.array([2.5, 1.0, 9.5]) - 13 / 3) / np.std([2.5, 1.0, 9.5])
    assert items.features == pytest.approx(np.column_stack([price, [0, 1, 0], [1, 0, 1]]))
    assert np.linalg.norm(items.embedding, axis=1) == pytest.approx(np.ones(3))
    assert items.embedding.shape == (3, 8)
    assert (items.bait >= 0).all()
    assert (items.bait <= 1).all()


def test_given_embeddings_are_scaled_and_centres_are_means():
    data = {"item": [7, 5, 3], "group": ["a", "a", "b"], "embedding": [[3, 4], [0, 2], [-1, 0]]}
    arrays = TableCatalogue(data=data | {"embedding": np.array(data["embedding"])}).draw()
    for items in (arrays, TableCatalogue(data=pd.DataFrame(data)).draw()):
        assert items.embedding == pytest.approx(np.array([[0.6, 0.8], [0, 1], [-1, 0]]))
        assert items.centres == pytest.approx(
            np.array([np.array([0.6, 1.8]) / np.sqrt(3.6), [-1, 0]])
        )
        assert list(items.names) == [7, 5, 3]
        assert np.array_equal(items.features, items.embedding)  # there are no features


def test_an_embedding_may_be_a_list_in_a_cell_or_several_columns(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("id,v,x,y\na,3|4,3,4\nb,0|-2,0,-2\n")
    lists = TableCatalogue(path=str(path), item="id", embedding="v", features=[]).draw()
    columns = TableCatalogue(path=str(path), item="id", embedding=["x", "y"], features=[]).draw()
    assert lists.embedding == pytest.approx(np.array([[0.6, 0.8], [0, -1]]))
    assert np.array_equal(lists.embedding, columns.embedding)


def test_projections_keep_similar_rows_similar():
    features = np.random.default_rng(0).standard_normal((200, 30))
    features[1] = features[0] + 0.1
    found = projected(features, 64, 0)
    assert found[0] @ found[1] > 0.9
    true = features[2:] @ features[2:].T / np.outer(*[np.linalg.norm(features[2:], axis=1)] * 2)
    assert np.abs(found[2:] @ found[2:].T - true).mean() < 2 / np.sqrt(64)
    assert not np.array_equal(found, projected(features, 64, 1))


def test_standardised_columns_by_hand():
    found = standardised(np.array([[1.0, 0.1, 5], [3.0, 0.1, 5], [5.0, 0.1, 5]]))
    assert found[:, 0] == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])
    assert not found[:, 1:].any()


def test_bait_is_coupled_to_the_quality_that_is_given():
    quality = np.random.default_rng(1).random(5000)
    data = {"item": np.arange(5000), "group": np.arange(5000) % 7, "quality": quality}
    items = TableCatalogue(data=data, bait_quality_correlation=-0.8).draw()
    assert np.corrcoef(items.quality, items.bait)[0, 1] == pytest.approx(-0.786, abs=0.02)


def test_users_are_rows_in_proportion_to_their_weight(files):
    items = TableCatalogue(**files["catalogue"]).draw()
    users = TablePopulation(**files["population"]).bind(items, Backend.make())
    interest, features = users.draw(xp, draws_of(40_000), items.centres)
    bob = (interest == items.centres[0]).all(axis=1)
    assert (interest[~bob] == items.centres[1]).all()
    assert abs(bob.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 40_000)
    # age, then free and paid
    assert np.array_equal(features, np.where(bob[:, None], [[1, 0, 1]], [[-1, 1, 0]]))
    assert np.array_equal(users.feature_bounds(8), [[-1, 0, 0], [1, 1, 1]])


def test_rows_of_weight_zero_are_never_drawn():
    items = TableCatalogue(data={"item": [0, 1], "embedding": np.eye(2)}).draw()
    data = {
        "user": list("abcd"),
        "interest": np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]),
        "weight": [0, 1, 1, 0],
    }
    users = TablePopulation(data=data).bind(items, Backend.make())
    interest, features = users.draw(xp, draws_of(2000), items.centres)
    assert {tuple(row) for row in interest.tolist()} == {(0, 1), (-1, 0)}
    assert features.shape == (2000, 1)  # nothing is observed
    spread = TablePopulation(data=data, spread=0.5).bind(items, Backend.make())
    interest, _ = spread.draw(xp, draws_of(2000), items.centres)
    assert np.linalg.norm(interest, axis=1) == pytest.approx(np.ones(2000), abs=1e-5)
    assert len(np.unique(interest, axis=0)) > 1000


def test_the_environment_keeps_its_promises(files):
    settings = {"world": files, "slate_size": 2, "preset": "retention", "max_steps": 20}
    check_env(gym.make("recsim:SlateRec-v0", **settings).unwrapped, skip_render_check=True)
    one, many = SlateRecEnv(**settings), SlateRecVectorEnv(5, **settings)
    torch = SlateRecVectorEnv(5, backend="torch", **settings)
    first, rows, same = (env.reset(seed=3)[0] for env in (one, many, torch))
    twin, third = copy.deepcopy(one), pickle.loads(pickle.dumps(many))
    for name, value in first.items():
        assert np.array_equal(rows[name][0], value)
        assert same[name].numpy() == pytest.approx(rows[name], abs=1e-5)
    for step in range(10):
        slate = np.array([step % 3, (step + 1) % 3])
        results = one.step(slate), twin.step(slate)
        assert results[0][1:4] == results[1][1:4]
        batch, again = many.step(np.tile(slate, (5, 1))), third.step(np.tile(slate, (5, 1)))
        assert np.array_equal(batch[1], again[1])
        assert batch[1][0] == results[0][1]
        if results[0][2] or results[0][3]:
            one.reset(), twin.reset()


def test_names_of_items_stand_in_the_problem_and_in_pictures(files):
    env = SlateRecEnv(world=files, slate_size=2, render_mode="ansi")
    env.reset(seed=0)
    env.step([2, 1])
    assert env.render().startswith("shown wine rice | clicked ")
    assert list(env.problem.item_names) == ["tea", "rice", "wine"]
    picture = SlateRecEnv(world=files, slate_size=2, render_mode="rgb_array")
    picture.reset(seed=0)
    picture.step([2, 1])
    assert picture.render().shape == (400, 640, 3)


def test_a_preset_keeps_its_other_parts_and_parameters_change_the_same_kind(files):
    env = SlateRecEnv(preset="boredom", world=files, slate_size=2)
    assert env.world.fatigue.weight == 8.0
    assert env.simulation.world.groups == 2
    drawn = SlateRecEnv(preset="retention", world={"catalogue": {"num_items": 30}})
    assert drawn.world.catalogue.bait_quality_correlation == -0.8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "items.csv is empty; its first line must name the columns"),
        ("item,price\n", "items.csv has no rows"),
        ("id,price\na,1\n", "has no column 'item'.* Name the column of the names of items"),
        ("item,price\na,1\nb,2\na,3\n", "line 4, column 'item': 'a' is listed twice"),
        ("item,price\na,1\n,2\n", "line 3, column 'item': '' is empty"),
        ("item,price\na,1\nnan,2\n", "line 3, column 'item': 'nan' is not an id"),
        ("item,price\na,1\nb,nan\nc,3\n", "line 3, column 'price': 'nan' is not a finite number"),
        ("item,price\na,1\nb,\nc,3\n", "line 3, column 'price': the entry is missing"),
        ("item,price\na,1\nb,inf\nc,3\n", "line 3, column 'price': 'inf' is not a finite"),
        ("item,price\na,1\nb,1e30\nc,3\n", "line 3, column 'price': '1e30' is too large"),
        ("item,price\na,1\nb,2,9\n", "line 3"),
        ("item,price,price\na,1,1\nb,2,2\n", "names the column 'price' twice"),
        ("item,quality\na,1\nb,5\n", "line 3, column 'quality': 5.0 is not between 0 and 1"),
        ("item,minutes\na,1\nb,-5\n", "line 3, column 'minutes': -5.0 is negative"),
        ("item,embedding\na,1|2\nb,3\n", "line 3, column 'embedding': '3' does not fit"),
        ("item,embedding\na,1|2\nb,0|0\n", "line 3, column 'embedding': '0.0' makes|zeros"),
        ("item,embedding\na,1|2\nb,x|0\n", "line 3, column 'embedding': 'x' in the list"),
        ("item,embedding\na,1|2\nb,nan|0\n", "line 3, column 'embedding': 'nan' in the list"),
        ("item,embedding\na,\nb,1\n", "line 2, column 'embedding'"),
        ("item,price\na,1\nb,1\n", "all items are alike"),
        ("item,price\na,1\n", "all items are alike"),
    ],
)
def test_damaged_catalogues_are_refused(tmp_path, text, message):
    path = tmp_path / "items.csv"
    path.write_text(text)
    for env in (SlateRecEnv, SlateRecVectorEnv):
        with pytest.raises(EnvError, match=r"world\.catalogue: .*" + message):
            env(world={"catalogue": {"path": str(path)}}, slate_size=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "none.csv"}, "none.csv does not exist"),
        ({"data": {"item": [1, 2]}, "embedding": []}, "embedding"),
        ({"path": "x", "data": {}}, "give either 'path', a file, or 'data'"),
        ({"kind": "table"}, "give either 'path', a file, or 'data'"),
        ({"kind": "tabel", "path": "x"}, "unknown kind 'tabel'. Did you mean 'table'"),
        ({"data": 5}, "data must be a table in memory"),
        ({"data": {"item": [1, 2], "price": [1]}}, "'item' has 2 rows, and 'price' 1"),
        ({"data": {"item": [1, 2], "price": [1, "x"]}}, "column 'price' cannot be read"),
        ({"data": {"item": [1, 2], "price": [1, 2]}, "pth": 1}, "pth: unknown key.*'path'"),
        ({"data": {"item": [1, 2], "price": [1, 2]}, "features": ["prise"]}, "Did you mean 'price"),
        ({"data": {"item": [1, 2], "price": [1, 2]}, "quality": "qual"}, "no column 'qual'"),
        ({"data": {"item": [1, 2], "p": [1, 2]}, "quality": "p", "bait": "p"}, "has two roles"),
        ({"data": {"item": [1, 2], "p": [1, 2]}, "item": "p", "group": "p"}, "has two roles"),
        (
            {"data": {"item": [1, 2], "p": [1, 2]}, "features": ["p"], "categories": ["p"]},
            "both in 'features' and in 'categories'",
        ),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(EnvError, match=r"world\.catalogue.*" + message):
        SlateRecEnv(world={"catalogue": settings}, slate_size=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "user,group\nann,food\nbob,drink\n",
            "user 'bob'.* no group 'drink'. Did you mean 'drink",
        ),
        ("user,group\nann,food\nbob,\n", "user 'bob': the catalogue has no group ''"),
        ("user,group,weight\nann,food,0\nbob,food,0\n", "all weights are 0"),
        ("user,group,weight\nann,food,1\nbob,food,-1\n", "line 3, column 'weight': -1.0 is neg"),
        ("user,interest\nann,1|2\nbob,2|3\n", "have 2 dimensions, and the embeddings of items 8"),
        ("user,age\nann,1\nann,2\n", "line 3, column 'user': 'ann' is listed twice"),
        ("user,age\nann,1\nbob,1\n", "all users are alike"),
        ("name,age\nann,1\nbob,1\n", "has no column 'user'"),
        ("", "is empty"),
    ],
)
def test_damaged_users_are_refused(files, tmp_path, text, message):
    (tmp_path / "users.csv").write_text(text)
    with pytest.raises(EnvError, match=r"world\.population: .*" + message):
        SlateRecEnv(world=files, slate_size=1)


def test_another_source_replaces_the_first(files):
    mine = {"catalogue": files["catalogue"]}
    mine = Preset(description="d", world=override(WorldConfig(), mine), slate_size=1)
    env = SlateRecEnv(preset=mine, world={"catalogue": {"data": {"item": [4, 5], "p": [1, 2]}}})
    assert list(env.problem.item_names) == [4, 5]
    changed = SlateRecEnv(preset=mine, world={"catalogue": {"dim": 3}})
    assert changed.simulation.world.items.embedding.shape == (3, 3)
    assert list(changed.problem.item_names) == ["tea", "rice", "wine"]


def test_a_part_of_another_slot_is_refused(files):
    with pytest.raises(EnvError, match=r"world.catalogue: Population is a part of another slot"):
        SlateRecEnv(world={"catalogue": SlateRecEnv().world.population})
    with pytest.raises(EnvError, match=r"world.catalogue: TableCatalogue is a class"):
        SlateRecEnv(world={"catalogue": TableCatalogue})
    part = TableCatalogue(**files["catalogue"])
    assert SlateRecEnv(world={"catalogue": part}, slate_size=1).world.catalogue is part
