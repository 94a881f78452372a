"""Every kind of environment with short episodes, in both faces, for tests of what all have."""

from functools import lru_cache, partial

import numpy as np

import agents
from envs.conversation import ConvRecEnv, ConvRecVectorEnv
from envs.critiquing import CritiqueRecEnv, CritiqueRecVectorEnv
from envs.learned.config import UserModelConfig
from envs.learned.env import LearnedRecEnv, LearnedRecVectorEnv
from envs.learned.fitting import fit_user_model
from envs.replay import SlateReplayEnv
from envs.slates.env import SlateRecEnv, SlateRecVectorEnv
from recsim.play.rollout import rollout

WORLD = {"catalogue": {"num_items": 12}, "session": {"minutes": 2.0, "step_minutes": 1.0}}
SLATES = {"preset": "retention", "world": WORLD, "slate_size": 2, "max_steps": 6}
CONVERSATIONS = {
    "planted": {"num_items": 60, "num_attributes": 8, "users": 20, "interactions": 5},
    "max_turns": 4,
    "slate_size": 4,
    "illegal": "penalise",
    "noise": 0.1,
}
CRITIQUES = {
    "planted": {"users": 20, "num_items": 40, "num_aspects": 6, "reviews": 5},
    "max_turns": 4,
    "illegal": "penalise",
}


@lru_cache
def log():
    env = SlateRecVectorEnv(30, **SLATES)
    agent = agents.make("random", env.problem, seed=3)
    return rollout(env, agent, seed=3, max_steps=6, record=True).to_log()


@lru_cache
def user_model():
    return fit_user_model(log(), UserModelConfig(dim=4, hidden=4, history=2, epochs=1))


def learned(env, *args, **settings):
    return env(*args, user_model=user_model(), max_steps=5, **settings)


def family(one, many, **settings):
    return partial(one, **settings), partial(many, **settings)


SLATE_REC = partial(family, SlateRecEnv, SlateRecVectorEnv, **SLATES)
FAMILIES = {
    "slates": SLATE_REC(),
    "revealed": SLATE_REC(reveal_state=True, num_candidates=5),
    "slots": SLATE_REC(action="slot"),
    "revealed slots": SLATE_REC(action="slot", reveal_state=True, num_candidates=5),
    "learned": (partial(learned, LearnedRecEnv), partial(learned, LearnedRecVectorEnv)),
    "learned slots": tuple(
        partial(learned, env, action="slot", reveal_state=True)
        for env in (LearnedRecEnv, LearnedRecVectorEnv)
    ),
    "conversations": family(ConvRecEnv, ConvRecVectorEnv, **CONVERSATIONS, debug=True),
    "questions": family(ConvRecEnv, ConvRecVectorEnv, **CONVERSATIONS, action="discrete"),
    "critiques": family(CritiqueRecEnv, CritiqueRecVectorEnv, **CRITIQUES, debug=True),
    "items": family(
        CritiqueRecEnv, CritiqueRecVectorEnv, **CRITIQUES, action="item", justification="item"
    ),
}
ONE = {name: one for name, (one, _) in FAMILIES.items()}
ONE["replay"] = lambda **settings: SlateReplayEnv(log=log(), **settings)
MANY = {name: many for name, (_, many) in FAMILIES.items()}


def stacked(actions):
    """Return actions of single users as those of a batch."""
    if isinstance(actions[0], dict):
        return {name: np.stack([action[name] for action in actions]) for name in actions[0]}
    return np.stack(actions)


def flat(tree, prefix=""):
    """Nested dicts of arrays as one dict, without the masks of Gymnasium's vector infos."""
    found = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif not name.startswith("_"):
            found[prefix + name] = np.asarray(value)
    return found
