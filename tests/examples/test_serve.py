"""The endpoint of the example answers as the agents do, to several users at once."""

import importlib.util
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import agents
import recsim
from envs.conversation.env import ConvRecEnv
from recsim import load_agent, read_log, save_agent

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("httpx2", reason="the extra 'serve' is not installed")
from fastapi.testclient import TestClient

FILE = Path(__file__).parents[2] / "examples" / "serve.py"
PLANTED = {"num_items": 60, "num_attributes": 8, "users": 40, "interactions": 6, "per_user": 4}


@pytest.fixture(scope="module")
def serve():
    spec = importlib.util.spec_from_file_location("example_of_serving", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks its types up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def slates(tmp_path_factory):
    """A `sasrec` that was fitted on a few users, saved and loaded."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"user": np.repeat(np.arange(30), 8), "item": [f"A{n}" for n in rng.integers(0, 40, 240)]}
    )
    log = read_log("table", data=frame, columns={"item": "item", "user": "user"}).widened(5)
    agent = agents.make("sasrec", log.problem, steps=20, dim=8)
    agent.fit(log)
    path = tmp_path_factory.mktemp("agents") / "slates.pt"
    save_agent(agent, path)
    return load_agent(path)


@pytest.fixture(scope="module")
def talking(tmp_path_factory):
    """A `conv_bayes` that was saved and loaded."""
    env = ConvRecEnv(planted=PLANTED, slate_size=3, max_turns=6)
    agent = agents.make("conv_bayes", env.problem)
    agent.fit(env.training_data)
    path = tmp_path_factory.mktemp("agents") / "talking.pt"
    save_agent(agent, path)
    return load_agent(path)


@pytest.fixture(scope="module")
def client(serve, slates, talking):
    with TestClient(serve.app(slates, talking)) as client:
        yield client


def test_recommendations_are_those_of_the_agent(client, slates):
    wanted = {"history": ["A3", "A1"], "k": 10, "exclude": ["A3", "A1"]}
    answer = client.post("/recommend", json=wanted)
    assert answer.status_code == 200
    assert answer.json()["items"] == slates.recommend(["A3", "A1"], 10, exclude=["A3", "A1"])


def test_users_who_come_at_once_get_the_answers_of_users_who_come_in_turn(client, slates):
    rng = np.random.default_rng(1)
    names = list(slates.problem.item_names)
    histories = [rng.choice(names, rng.integers(0, 6)).tolist() for _ in range(60)]

    def items(history):
        return client.post("/recommend", json={"history": history, "k": 10}).json()["items"]

    in_turn = [items(history) for history in histories]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(items, histories)) == in_turn
    assert len({tuple(answer) for answer in in_turn}) > 10


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"history": ["A33x"]}, "Did you mean 'A33'"),
        ({"k": 1000}, "it can recommend 1 to"),
        ({"k": 0}, "greater than or equal to 1"),
        ({"history": "A3"}, "valid list"),
        ({"history": [3]}, "no item 3"),
    ],
)
def test_a_mistake_is_explained(client, wanted, message):
    answer = client.post("/recommend", json=wanted)
    assert answer.status_code == 422
    assert message in answer.text


def test_a_conversation(client):
    begun = client.post("/conversations").json()
    state, turns = begun, 0
    while "ask" in state:
        state = client.post(f"/conversations/{begun['id']}", json={"answer": "no"}).json()
        turns += 1
    assert turns >= 1
    wrong = client.post(f"/conversations/{begun['id']}", json={"answer": "item 999"})
    assert wrong.status_code == 422
    assert "none of the items shown" in wrong.text
    end = client.post(f"/conversations/{begun['id']}", json={"answer": state["show"][1]}).json()
    assert end == {"over": True, "accepted": state["show"][1]}
    again = client.post(f"/conversations/{begun['id']}", json={"answer": "yes"})
    assert again.status_code == 404


def test_conversations_at_once_are_those_in_turn(client):
    def hold(number):
        key = client.post("/conversations").json()["id"]
        rng = np.random.default_rng(number)
        states = []
        while not states or not states[-1]["over"]:
            showing = bool(states) and "show" in states[-1]
            given = None if showing else rng.choice(["yes", "no"]).item()
            answer = client.post(f"/conversations/{key}", json={"answer": given})
            if answer.status_code == 422:  # the first turn already shows items
                answer = client.post(f"/conversations/{key}", json={"answer": None})
            states.append(answer.json())
        return states

    in_turn = [hold(number) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(hold, range(12))) == in_turn
    assert len({str(states) for states in in_turn}) > 3


def test_conversations_that_were_left_are_forgotten(serve, talking, monkeypatch):
    monkeypatch.setattr(serve, "MOST_CONVERSATIONS", 2)
    with TestClient(serve.app(None, talking)) as client:
        keys = [client.post("/conversations").json()["id"] for _ in range(3)]
        codes = [
            client.post(f"/conversations/{key}", json={"answer": "no"}).status_code for key in keys
        ]
        assert codes[0] == 404
        assert 404 not in codes[1:]
        assert client.post("/recommend", json={}).status_code == 404


def test_the_conversation_of_the_guide_runs(talking, tmp_path, monkeypatch, capsys):
    save_agent(talking, tmp_path / "conversation.pt")
    monkeypatch.chdir(tmp_path)
    guide = (FILE.parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import copy.*?)```", guide, re.DOTALL)
    exec(code, {"recsim": recsim})
    assert capsys.readouterr().out.splitlines()[-1] == "None"


def test_the_recommendation_of_the_guide_runs(slates, tmp_path, monkeypatch, capsys):
    save_agent(slates, tmp_path / "agent.pt")
    monkeypatch.chdir(tmp_path)
    guide = (FILE.parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import recsim\n.*?)```", guide, re.DOTALL)
    exec(code, {})
    assert len(eval(capsys.readouterr().out)) == 3
