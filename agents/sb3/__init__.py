"""Online reinforcement learning of slates: proximal policy optimisation by stable-baselines3.

The agent ``ppo`` never sees an environment. It collects its decisions and their feedback in a
rollout buffer of stable-baselines3, from which ``PPO.train`` learns. The policy scores all
candidates with one network, so that its size does not grow with their number, and draws slates by
Plackett-Luce, so that the probability of every slate is known.

References: Schulman et al. 2017, arXiv:1707.06347; advantages by GAE, arXiv:1506.02438; Raffin et
al., "Stable-Baselines3", JMLR 22 (2021). Plackett-Luce as in `agents.shared.plackett_luce`.

Differences from the paper and from stable-baselines3's own loop:

- Rows of users who have left are excluded from the minibatches, which have nearly equal sizes
  instead of a smaller last one.
- A rollout may end early, when the next cohort begins, so its length varies. If a user's episode
  has not ended by then, its last step is not learned from and only bootstraps the step before.
- Feedback does not distinguish a time limit from a user who left: every end counts as terminal, and
  no value is added after a time limit.
- The entropy bonus of slates of several items is estimated: that of the first item is exact, that
  of each further item is exact given the items drawn before it. The gradient ignores how the policy
  changes the distribution of those items.
- The learning rate and the clip range are constant.

For stable-baselines3's own PPO and A2C on an environment, `agents.sb3.scoring` has a policy that is
not this agent's: it reads ``observation="features"``. `agents.sb3.maskable` has it for sb3-contrib.
"""

from agents.sb3.agent import PPOAgent, PPOConfig

__all__ = ["PPOAgent", "PPOConfig"]
