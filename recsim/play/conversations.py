"""An agent holds conversations: about every interaction once, or about drawn ones to practise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.contracts.conversations import ConversationAgent, Reply
from recsim.metrics import average_turns, success_rate

__all__ = ["conversation_curves", "conversation_metrics", "converse", "practise"]


def converse(
    env: Any,
    agent: ConversationAgent,
    *,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Hold one conversation about every interaction of the environment's split.

    Args:
        env: A vector environment with the observations, actions (``action="slate"``) and infos of
            ``ConvRec-v0``; its number of conversations is the size of a batch, and has no influence
            on the outcome.
        agent: Fitted, if it needs that.
        seed: Seed of openings and noise.
        on_batch: Called after each batch with the number of conversations done.

    Returns:
        One row per interaction, in order: ``user``, ``success``, ``turn``, ``rank``,
        ``n_questions``, ``n_recs``, ``items_shown``, ``hdcg`` and ``reward`` (their sum).
    """
    world = env.unwrapped
    batch, total = world.num_envs, world.num_episodes
    pieces = []
    for start in range(0, total, batch):
        numbers = np.arange(start, start + batch) % total  # the last batch is filled up
        pieces.append(_one_batch(env, agent, seed, numbers)[: total - start])
        if on_batch is not None:
            on_batch(min(start + batch, total))
    table = pd.concat(pieces, ignore_index=True)
    table.insert(0, "user", world.episode_users)
    return table


def _one_batch(
    env: Any, agent: ConversationAgent, seed: int, numbers: NDArray[np.int64]
) -> pd.DataFrame:
    size = len(numbers)
    obs, info = env.reset(seed=seed, options={"index": numbers})
    agent.begin(size)
    going = np.ones(size, dtype=np.bool_)
    earned = np.zeros(size)
    columns = ("success", "turn", "rank", "n_questions", "n_recs", "items_shown", "hdcg")
    ends: dict[str, NDArray[Any]] = {}
    while going.any():
        obs, info, reply = _take_turn(env, agent, obs, info, going)
        earned += np.where(going, reply.reward, 0.0)
        ended = going & reply.done
        if ended.any():
            for name in columns:
                told = info["final_info"][name]
                ends.setdefault(name, np.zeros(size, dtype=told.dtype))[ended] = told[ended]
        going &= ~reply.done
    return pd.DataFrame(ends | {"reward": earned})


def practise(env: Any, agent: ConversationAgent, *, seed: int, rounds: int) -> None:
    """Let an agent that has ``observe`` learn from conversations with drawn users.

    Args:
        env: As for `converse`, with ``split="train"``.
        agent: The agent.
        seed: Seed of the users.
        rounds: Batches of conversations; each takes as many turns as its longest conversation.
    """
    observe = getattr(agent, "observe", None)
    if observe is None:
        return
    for number in range(rounds):
        obs, info = env.reset(seed=seed) if not number else env.reset()
        going = np.ones(env.unwrapped.num_envs, dtype=np.bool_)
        agent.begin(len(going))
        while going.any():
            obs, info, reply = _take_turn(env, agent, obs, info, going)
            observe(reply)
            going &= ~reply.done


def _take_turn(
    env: Any, agent: ConversationAgent, obs: Any, info: Any, going: NDArray[np.bool_]
) -> tuple[Any, Any, Reply]:
    """Take a turn in every conversation; rows that are over are ignored."""
    turn = agent.act({**obs, "action_mask": info["action_mask"]})
    asks = turn.ask >= 0
    # Rows that are over show nothing: what the agent makes of the new conversation does not matter.
    slates = np.where((asks | ~going)[:, None], -1, turn.slates)
    showing = 1 if turn.free is None else np.where(turn.free, 2, 1)
    action = {
        "type": np.where(asks & going, 0, showing),
        "attribute": np.where(asks & going, turn.ask, 0),
        "slate": slates,
    }
    obs, reward, terminated, truncated, info = env.step(action)
    done = terminated | truncated
    after, success = {**obs, "action_mask": info["action_mask"]}, info["success"]
    if done.any():
        last = info["final_obs"] | {"action_mask": info["final_info"]["action_mask"]}
        after = {
            name: np.where(_like(done, value), last[name], value) for name, value in after.items()
        }
        success = info["final_info"]["success"]
    return obs, info, Reply(reward, done, success, after, going.copy())


def _like(mask: NDArray[np.bool_], value: NDArray[Any]) -> NDArray[np.bool_]:
    return mask.reshape(-1, *[1] * (value.ndim - 1))


def conversation_metrics(conversations: pd.DataFrame, max_turns: int) -> dict[str, float]:
    """Return the conversations in numbers.

    Args:
        conversations: What `converse` returned.
        max_turns: T.

    Returns:
        ``success_rate`` (within T turns), ``average_turns`` (T where without success), ``hdcg``,
        and per conversation ``questions``, ``recommendations``, ``items_shown`` and ``reward``; and
        ``success_at_1`` ... ``success_at_<T>``.
    """
    turn, success = conversations["turn"].to_numpy(), conversations["success"].to_numpy()
    numbers = {
        "success_rate": success_rate(turn, success, max_turns),
        "average_turns": average_turns(turn, success, max_turns),
        "hdcg": float(conversations["hdcg"].mean()),
        "questions": float(conversations["n_questions"].mean()),
        "recommendations": float(conversations["n_recs"].mean()),
        "items_shown": float(conversations["items_shown"].mean()),
        "reward": float(conversations["reward"].mean()),
    }
    limits = range(1, max_turns + 1)
    return numbers | {f"success_at_{t}": success_rate(turn, success, t) for t in limits}


def conversation_curves(conversations: pd.DataFrame, max_turns: int) -> pd.DataFrame:
    """Return how conversations went by turn, from 0 on.

    Returns:
        A frame indexed by ``turn`` with ``success_rate``, the share that has succeeded by then, and
        ``active``, the share that has not ended before.
    """
    turn, success = conversations["turn"].to_numpy(), conversations["success"].to_numpy()
    limits = range(max_turns + 1)
    rates = np.array([success_rate(turn, success, limit) for limit in limits])
    active = np.concatenate([[1.0], 1 - rates[:-1]])
    columns = {"success_rate": rates, "active": active}
    return pd.DataFrame(columns, index=pd.Index(limits, name="turn"))
