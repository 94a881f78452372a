"""An agent holds conversations: one about every interaction, or random ones to practise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.arrays import Bools, Floats, Ints
from recsim.contracts.conversations import ConversationAgent, Reply
from recsim.metrics import success_rate
from recsim.play.episodes import batches, user_sums

if TYPE_CHECKING:
    import pandas as pd

_OUTCOMES = ("success", "turn", "rank", "n_questions", "n_recs", "items_shown", "hdcg")


def play_conversations(
    env: Any,
    agent: ConversationAgent,
    *,
    seed: int,
    on_batch: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Hold one conversation about every interaction of the environment's split.

    Args:
        env: A vector environment with the observations, actions (``action="slate"``) and infos of
            ``ConvRec-v0``. Its number of sub-environments is the batch size, which has no influence
            on the results.
        agent: The agent; fitted, if it needs to be.
        seed: Seed of the users' openings and noise.
        on_batch: Called after each batch with the number of conversations done.

    Returns:
        One row per interaction, in order: ``user``, ``success``, ``turn``, ``rank``,
        ``n_questions``, ``n_recs``, ``items_shown``, ``hdcg`` and ``reward`` (summed).
    """
    import pandas as pd

    pieces = [
        _play_batch(env, agent, seed, episodes)[:count]
        for episodes, count in batches(env, on_batch)
    ]
    table = pd.concat(pieces, ignore_index=True)
    table.insert(0, "user", env.unwrapped.episode_users)
    return table


def _play_batch(env: Any, agent: ConversationAgent, seed: int, episodes: Ints) -> pd.DataFrame:
    import pandas as pd

    rewards = np.zeros(len(episodes))
    outcomes: dict[str, NDArray[Any]] = {}
    for info, reply in _turns(env, agent, *env.reset(seed=seed, options={"index": episodes})):
        rewards += np.where(reply.active, reply.reward, 0.0)
        ended = reply.active & reply.done
        if ended.any():
            for name in _OUTCOMES:
                final = info["final_info"][name]
                outcomes.setdefault(name, np.zeros_like(final))[ended] = final[ended]
    return pd.DataFrame(outcomes | {"reward": rewards})


def practise(env: Any, agent: ConversationAgent, *, seed: int, rounds: int) -> None:
    """Let an agent learn from conversations with random users; does nothing without ``observe``.

    Args:
        env: As for `play_conversations`, with ``split="train"``.
        agent: The agent.
        seed: Seed of the users.
        rounds: Number of batches; each lasts as long as its longest conversation.
    """
    observe = getattr(agent, "observe", None)
    if observe is None:
        return
    for number in range(rounds):
        for _, reply in _turns(env, agent, *env.reset(seed=None if number else seed)):
            observe(reply)


def _turns(env: Any, agent: ConversationAgent, obs: Any, info: Any) -> Iterator[tuple[Any, Reply]]:
    """Take turns until every conversation has ended once.

    Args:
        env: The environment, after its reset.
        agent: The agent.
        obs: Observation of the reset.
        info: Info of the reset.

    Yields:
        The info of each turn and its outcome, whose ``active`` is False for conversations that had
        ended before.
    """
    active = np.ones(env.unwrapped.num_envs, dtype=np.bool_)
    agent.begin(len(active))
    while active.any():
        turn = agent.act({**obs, "action_mask": info["action_mask"]})
        # A finished row is already in its next conversation: it is shown an empty slate.
        asks = (turn.ask >= 0) & active
        slates = np.where((asks | ~active)[:, None], -1, turn.slates)
        showing = 1 if turn.free is None else np.where(turn.free, 2, 1)
        action = {
            "type": np.where(asks, 0, showing),
            "attribute": np.where(asks, turn.ask, 0),
            "slate": slates,
        }
        obs, reward, terminated, truncated, info = env.step(action)
        done = terminated | truncated
        after, success = {**obs, "action_mask": info["action_mask"]}, info["success"]
        if done.any():
            last = info["final_obs"] | {"action_mask": info["final_info"]["action_mask"]}
            after = {
                name: np.where(_broadcast(done, value), last[name], value)
                for name, value in after.items()
            }
            success = info["final_info"]["success"]
        yield info, Reply(reward, done, success, after, active.copy())
        active &= ~done


def _broadcast(mask: Bools, value: NDArray[Any]) -> Bools:
    """Give a mask of rows, ``(B,)``, as many axes as ``value``."""
    return mask.reshape(-1, *[1] * (value.ndim - 1))


def conversation_metrics(conversations: pd.DataFrame, max_turns: int) -> dict[str, float]:
    """Return the metrics of conversations.

    Args:
        conversations: The result of `play_conversations`.
        max_turns: T.

    Returns:
        ``success_rate`` (within T turns), ``average_turns`` (T for a conversation without success),
        ``hdcg``, and per conversation ``questions``, ``recommendations``, ``items_shown`` and
        ``reward``; and ``success_at_1`` ... ``success_at_<T>``.
    """
    values = _conversation_values(conversations, max_turns)
    return {name: float(value.mean()) for name, value in values.items()}


def conversation_users(conversations: pd.DataFrame, max_turns: int) -> pd.DataFrame:
    """Return the sums of `conversation_metrics` by user, as `recsim.play.episodes.user_sums` does.

    Args:
        conversations: The result of `play_conversations`.
        max_turns: T.
    """
    values = _conversation_values(conversations, max_turns)
    return user_sums(conversations["user"].to_numpy(), values)


def _conversation_values(conversations: pd.DataFrame, max_turns: int) -> dict[str, Floats]:
    """Return the values of each conversation whose means are metrics, ``(N,)`` each."""
    turn, success = conversations["turn"].to_numpy(), conversations["success"].to_numpy()
    limits = range(1, max_turns + 1)
    values = {
        "success_rate": success & (turn <= max_turns),
        "average_turns": np.where(success, turn, max_turns),
        "hdcg": conversations["hdcg"],
        "questions": conversations["n_questions"],
        "recommendations": conversations["n_recs"],
        "items_shown": conversations["items_shown"],
        "reward": conversations["reward"],
    }
    values |= {f"success_at_{t}": success & (turn <= t) for t in limits}
    return {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def conversation_curves(conversations: pd.DataFrame, max_turns: int) -> pd.DataFrame:
    """Return the progress of conversations by turn, from 0.

    Returns:
        A frame indexed by ``turn`` with ``success_rate``, the fraction that has succeeded by that
        turn, and ``active``, the fraction that had not ended before it.
    """
    import pandas as pd

    turn, success = conversations["turn"].to_numpy(), conversations["success"].to_numpy()
    limits = range(max_turns + 1)
    rates = np.array([success_rate(turn, success, limit) for limit in limits])
    active = np.concatenate([[1.0], 1 - rates[:-1]])
    columns = {"success_rate": rates, "active": active}
    return pd.DataFrame(columns, index=pd.Index(limits, name="turn"))
