"""Milliseconds per request of saved agents, without a web server, and bytes per conversation.

    python benchmarks/serving.py [--requests 200]

Every agent is fitted on a small random log, saved and loaded. A request is a call of
``agent.recommend`` for a user with ten items of history, or one turn of a conversation. The last
columns are the ratio of the median to that of `popularity`, and the size of the agent's state, of
which every conversation has a copy. One thread.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import agents
from envs.conversation.env import ConvRecEnv
from recsim import load_agent, read_log, save_agent
from recsim.chat.conversations import Conversation, Question

ITEMS, HISTORY = 10_000, 10
SLATES = {"popularity": {}, "linucb": {}, "sasrec": {"steps": 20, "events": "clicked"}}
CONVERSATIONS = ("conv_bayes", "conv_max_entropy", "fact_crs")
PLANTED = {
    **{"num_items": 5_000, "num_attributes": 30, "users": 1000, "interactions": 10},
    "per_user": 6,
}


def saved(agent):
    """Save an agent and load it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.pt"
        save_agent(agent, path)
        return load_agent(path)


def timed(request: Callable[[], None], requests: int) -> list[float]:
    """Return the milliseconds of every request, after some that fill caches."""
    for _ in range(10):
        request()
    took = []
    for _ in range(requests):
        start = time.perf_counter()
        request()
        took.append(1000 * (time.perf_counter() - start))
    return took


def of_slates(name: str, config: dict, requests: int) -> tuple[list[float], int]:
    """Return the milliseconds of recommendations, and the size of the agent."""
    rng = np.random.default_rng(0)
    items = np.concatenate([np.arange(ITEMS), rng.integers(0, ITEMS, 10_000)])
    users = np.sort(rng.integers(0, 2000, len(items)))
    frame = pd.DataFrame({"user": users, "item": rng.permutation(items)})
    features = {f"f{number}": rng.normal(size=ITEMS) for number in range(8)}
    catalogue = pd.DataFrame({"item": np.arange(ITEMS), **features})
    log = read_log(
        "table",
        data=frame,
        columns={"item": "item", "user": "user"},
        items={"data": catalogue, "features": list(features)},
    ).widened(10)
    agent = agents.make(name, log.problem, **config)
    agent.fit(log)
    loaded = saved(agent)

    def request() -> None:
        loaded.recommend(rng.integers(0, ITEMS, HISTORY).tolist(), 10)

    return timed(request, requests), len(pickle.dumps(loaded.state_dict()))


def of_conversations(name: str, requests: int) -> tuple[list[float], int]:
    """Return the milliseconds of turns, and the size of the agent."""
    env = ConvRecEnv(planted=PLANTED, slate_size=10, max_turns=15)
    agent = agents.make(name, env.problem)
    agent.fit(env.training_data)
    loaded = saved(agent)
    rng, going = np.random.default_rng(0), []

    def request() -> None:
        if not going or going[-1].over:
            going.append(Conversation(copy.deepcopy(loaded)))
        turn = going[-1].next_turn()
        known = isinstance(turn, Question)
        going[-1].reply(["yes", "no"][int(rng.integers(2))] if known else None)

    return timed(request, requests), len(pickle.dumps(loaded.state_dict()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="default 200")
    requests = parser.parse_args().requests
    torch.set_num_threads(1)
    print(platform.processor() or platform.machine(), f"python {platform.python_version()}")
    print(f"{'request':34}{'median ms':>10}{'95 % ms':>9}{'ratio':>7}{'state MB':>10}")
    base = 0.0
    rows = [(f"{name}.recommend", of_slates(name, c, requests)) for name, c in SLATES.items()]
    rows += [(f"{name}, a turn", of_conversations(name, requests)) for name in CONVERSATIONS]
    for title, (took, size) in rows:
        median = statistics.median(took)
        base = base or median
        late = float(np.quantile(took, 0.95))
        print(f"{title:34}{median:10.2f}{late:9.2f}{median / base:7.1f}{size / 1e6:10.2f}")


if __name__ == "__main__":
    main()
