"""Speed of bot play in training and evaluation, compared with one session at a time.

    python benchmarks/bot_play.py [--device cpu] [--threads 1] [--steps 30] [--sessions 512]

Planted reviews of the size of the cell phones: 1,280 users, 830 items, 101 aspects. Training uses
batches of 512 sessions with 5 turns, of which 4 have a loss; the reference plays the sessions of a
batch one after the other in a plain loop, also with one optimiser step per batch. Sessions in
evaluation have at most 10 turns; the reference runs them one at a time with the same agent, and the
ranks are checked to be equal.
"""

import argparse
import os
import time
from dataclasses import replace

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=30)
parser.add_argument("--sessions", type=int, default=512, help="sessions per batch in evaluation")
GIVEN = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(GIVEN.threads)

import gymnasium
import numpy as np
import torch
from torch.nn import functional

import agents
from agents.bot_play.bpr import BPRConfig, fit_bpr
from agents.bot_play.fine_tuning import fine_tune
from agents.bot_play.play import PlayConfig
from agents.bot_play.tables import Tables
from recsim.critiquing import planted_reviews
from recsim.play.critiquing import play_critiquing

TURNS, BATCH, SINGLE = 5, 512, 64


def seconds(run, device: str) -> float:
    begin = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def one_by_one(model, tables, users, goals, generator) -> None:
    """Play sessions one after the other in a plain loop, and take one optimiser step."""
    optimizer = torch.optim.RAdam(model.parameters(), lr=3e-3)
    optimizer.zero_grad()
    aspects = tables.item_aspects.float()
    for user, goal in zip(users.tolist(), goals.tolist(), strict=True):
        counts = tables.user_counts[user]
        preferences, critiqued, loss = counts.clone(), set(), 0.0
        for turn in range(TURNS - 1):
            latent = model.users[user] + model.encoder(preferences)
            scores = model.items @ latent
            item = int(scores.argmax())
            logits = model.head(latent + model.items[item])
            ranking = functional.cross_entropy(
                scores[None], torch.tensor([goal], device=scores.device)
            )
            why = functional.binary_cross_entropy_with_logits(logits, aspects[goal])
            loss = loss + 0.9**turn * (ranking + why)
            drawn = torch.rand(len(logits), generator=generator, device=logits.device)
            shown = drawn < torch.sigmoid(logits.detach())
            pool = [
                aspect
                for aspect in shown.nonzero()[:, 0].tolist()
                if not tables.item_aspects[goal, aspect] and aspect not in critiqued
            ]
            if item != goal and pool:
                chosen = max(pool, key=lambda aspect: int(tables.popularity[aspect]))
                critiqued.add(chosen)
                preferences = preferences.clone()
                preferences[chosen] -= max(float(counts[chosen]), 1.0)
        (loss / len(users)).backward()
    optimizer.step()


def main() -> None:
    torch.set_num_threads(GIVEN.threads)
    device = torch.device(GIVEN.device)
    # 8 train reviews per user, so that every batch of a pass is full.
    data = planted_reviews(users=1280, num_items=830, num_aspects=101, reviews=10)
    tables = Tables.of(data, device)
    generator = torch.Generator(device).manual_seed(0)
    model, _ = fit_bpr(tables, BPRConfig(epochs=1), generator)

    def train(steps: int) -> None:
        fine_tune(model, tables, PlayConfig(turns=TURNS, batch_size=BATCH, steps=steps), generator)

    train(3)  # warm-up
    elapsed = seconds(lambda: train(GIVEN.steps), GIVEN.device)
    batched = GIVEN.steps * BATCH * (TURNS - 1) / elapsed
    few = torch.randperm(len(tables.users), generator=generator, device=device)[:SINGLE]
    users, goals = tables.users[few], tables.items[few]
    elapsed = seconds(lambda: one_by_one(model, tables, users, goals, generator), GIVEN.device)
    single = SINGLE * (TURNS - 1) / elapsed
    print(f"training turns per second: {batched:,.0f}; one session at a time {single:,.0f}")
    print(f"ratio {batched / single:.0f}")

    test = data.rows("test")
    kept = np.setdiff1d(np.arange(len(data)), test[SINGLE:])
    first = replace(
        data,
        **{name: getattr(data, name)[kept] for name in ("user", "item", "part", "aspects")},
    )
    many, one = (
        gymnasium.make_vec("recsim:CritiqueRec-v0", num_envs=size, data=reviews)
        for size, reviews in ((GIVEN.sessions, data), (1, first))
    )
    agent = agents.make(
        "bot_play", many.unwrapped.problem, seed=0, device=GIVEN.device, play={"steps": 20}
    )
    agent.fit(many.unwrapped.training_data)
    ranks = []
    elapsed = seconds(
        lambda: ranks.append(play_critiquing(many, agent, seed=0).ranks), GIVEN.device
    )
    batched = len(test) / elapsed
    elapsed = seconds(lambda: ranks.append(play_critiquing(one, agent, seed=0).ranks), GIVEN.device)
    single = SINGLE / elapsed
    np.testing.assert_array_equal(ranks[0][:SINGLE], ranks[1])
    print(f"evaluation sessions per second: {batched:,.0f}; one at a time {single:,.0f}")
    print(f"ratio {batched / single:.0f}")


if __name__ == "__main__":
    main()
