"""Golden transcripts: a short seeded episode of every environment, as text.

Any change of behaviour shows as a difference here. If it is intended, rewrite the files with
``RECSIM_GOLDEN=1 python -m pytest tests/envs/slates/test_transcript.py`` and review the difference.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import agents
from envs.conversation import ConvRecEnv
from envs.critiquing import CritiqueRecEnv
from envs.learned.config import UserModelConfig
from envs.learned.env import LearnedRecEnv
from envs.learned.fitting import fit_user_model
from envs.replay import SlateReplayEnv
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from envs.slates.transcript import transcript
from envs.world.presets import PRESETS
from recsim.play.rollout import rollout

GOLDEN = Path(__file__).parent / "golden"


def play(name):
    env = SlateRecEnv(preset=name, max_steps=12, reveal_state=True)
    lines = [f"SlateRec-v0, preset {name}, seed 7: random, oracle and repeated items in turn"]
    obs, info = env.reset(seed=7)
    lines.append("features " + " ".join(f"{x:.3f}" for x in obs["user_features"]))
    rng = np.random.default_rng(7)
    for step in range(15):
        size = env.problem.slate_size
        action = [rng.integers(0, 200, size), info["oracle_slate"], [step] * size][step % 3]
        obs, reward, terminated, truncated, info = env.step(action)
        day, session, of_session = obs["time"]
        lines.append(
            f"day {day} session {session} step {of_session} | {transcript(info)} | "
            f"reward {reward:.3f} expected {info['expected_reward']:.3f} "
            f"of {info['oracle_reward']:.3f}"
        )
        if terminated or truncated:
            lines.append("terminated" if terminated else "truncated")
            _, info = env.reset()
    return "\n".join(lines) + "\n"


def replay():
    world = {"catalogue": {"num_items": 6}}
    env = SlateRecVectorEnv(3, preset="retention", slate_size=2, max_steps=4, world=world)
    agent = agents.make("epsilon_greedy", env.problem, seed=3, epsilon=0.5)
    log = rollout(env, agent, seed=3, max_steps=4, record=True).to_log()
    env = SlateReplayEnv(log=log)
    lines = ["SlateReplay-v0, twelve slates of three users: the logged slate, every third another"]
    env.reset(seed=7)
    for step in range(12):
        row = int(env._rows[env._step])
        other = (log.slate[row] + 1) % 6
        obs, reward, terminated, truncated, info = env.step(log.slate[row] if step % 3 else other)
        day, session, of_session = obs["time"]
        rewards = ""
        if info["matched"]:
            rewards = ", ".join(f"{name} {value:.3f}" for name, value in info["rewards"].items())
        lines.append(
            f"row {info['row']} | shown {info['items'].tolist()}, logged "
            f"{info['logged_items'].tolist()} with {info['logged_slate_propensity']:.4f} | "
            f"{rewards or 'not matched'} | reward {reward:.3f} weight "
            f"{info['importance_weight']:.3f} | then day {day} session {session} step {of_session}"
        )
        if terminated or truncated:
            lines.append("terminated" if terminated else "truncated")
            env.reset()
    return "\n".join(lines) + "\n"


def converse():
    planted = {"num_items": 60, "num_attributes": 8, "users": 20, "interactions": 5, "per_user": 4}
    env = ConvRecEnv(
        planted=planted,
        action="discrete",
        max_turns=5,
        slate_size=4,
        opening="costs_turn",
        noise=0.1,
        render_mode="ansi",
    )
    lines = ["ConvRec-v0, planted tastes, seed 7: two questions, then slates"]
    for number in range(4):
        env.reset(seed=7, options={"index": number})
        lines.append(f"episode {number}: {env.render()}")
        over, action = False, 0
        while not over:
            questions = np.flatnonzero(env.action_masks()[:-1])
            ask = action < 2 and questions.size
            obs, reward, terminated, truncated, _ = env.step(questions[-1] if ask else 8)
            over, action = terminated or truncated, action + 1
            shown = obs["shown"][obs["shown"] >= 0].tolist()
            lines.append(f"{env.render()} | shown {shown} | reward {reward:.2f}")
        lines.append("terminated" if terminated else "truncated")
    return "\n".join(lines) + "\n"


def criticise():
    planted = {"users": 20, "num_items": 40, "num_aspects": 6, "reviews": 5}
    env = CritiqueRecEnv(
        planted=planted,
        action="item",
        max_turns=6,
        critiques="all",
        feedback="both",
        mistakes=0.2,
        render_mode="ansi",
    )
    lines = ["CritiqueRec-v0, planted reviews, seed 7: the item that shares most with preferences"]
    has = env.problem.item_aspects
    for number in range(4):
        obs, info = env.reset(seed=7, options={"index": number})
        lines.append(f"session {number}: {env.render()}")
        over = False
        while not over:
            alike = np.where(info["action_mask"] > 0, has @ obs["preferences"], -np.inf)
            best = int(alike.argmax())
            action = {"item": best, "justification": has[best].astype(np.int8)}
            obs, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
            believed = " ".join(f"{value:.0f}" for value in obs["preferences"])
            lines.append(f"{env.render()} | believed {believed} | reward {reward:.0f}")
        lines.append("terminated" if terminated else "truncated")
    return "\n".join(lines) + "\n"


def learned():
    session = {"minutes": 2.0, "step_minutes": 1.0}
    world = {"catalogue": {"num_items": 12}, "session": session}
    env = SlateRecVectorEnv(40, preset="retention", slate_size=2, max_steps=20, world=world)
    agent = agents.make("random", env.problem, seed=3)
    log = rollout(env, agent, seed=3, max_steps=20, record=True).to_log()
    model = fit_user_model(log, UserModelConfig(dim=4, hidden=4, history=2, epochs=2))
    env = LearnedRecEnv(user_model=model, max_steps=6, reveal_state=True)
    lines = ["LearnedRec-v0, fitted to forty users of retention, seed 7: random and oracle in turn"]
    _, info = env.reset(seed=7)
    rng = np.random.default_rng(7)
    for step in range(12):
        action = info["oracle_slate"] if step % 2 else rng.permutation(12)[:2]
        obs, reward, terminated, truncated, info = env.step(action)
        day, session, of_session = obs["time"]
        lines.append(
            f"day {day} session {session} step {of_session} | {transcript(info)} | "
            f"reward {reward:.3f} expected {info['expected_reward']:.2f}"
        )
        if terminated or truncated:
            lines.append("terminated" if terminated else "truncated")
            _, info = env.reset()
    return "\n".join(lines) + "\n"


TRANSCRIPTS = {f"SlateRec-v0-{name}": partial(play, name) for name in PRESETS}
TRANSCRIPTS["SlateReplay-v0"] = replay
TRANSCRIPTS["ConvRec-v0"] = converse
TRANSCRIPTS["CritiqueRec-v0"] = criticise
TRANSCRIPTS["LearnedRec-v0"] = learned


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_golden_transcript(name):
    file = GOLDEN / f"{name}.txt"
    got = TRANSCRIPTS[name]()
    if os.environ.get("RECSIM_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(got)
    assert got == file.read_text()
