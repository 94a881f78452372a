"""Online reinforcement learning of slates: proximal policy optimisation by stable-baselines3.

The agent ``ppo`` never sees an environment. It keeps what `act` showed and `observe` heard, fills a
rollout buffer of stable-baselines3 with it and lets ``PPO.train`` do the rest. The policy scores
every candidate by one network, so that the catalogue does not multiply its parameters, and draws
slates by Plackett-Luce, so that the probability of every slate is known.

References: Schulman et al. 2017, arXiv:1707.06347; advantages by GAE, arXiv:1506.02438; Raffin et
al., "Stable-Baselines3", JMLR 22 (2021). Plackett-Luce as in `agents.shared.plackett_luce`.

Differences from the paper and from stable-baselines3's own loop:

- Rows whose user is no longer followed are left out of the minibatches, which are of nearly equal
  size instead of having a small last one.
- A rollout may end early, when the next cohort begins: its length varies, and the last step of
  users whose episode had not ended is not learned from, but closes the return of the step before.
- Feedback does not tell a time limit from a user who left: every end counts as an end for good,
  nothing is added for what would have come after a limit.
- The entropy bonus of slates of several items is estimated: that of the first item is exact, that
  of every further one is exact given the items drawn before it. The gradient leaves out how the
  policy changes which those are.
- The learning rate and the clip range are constant.
"""

from agents.sb3.agent import PPOAgent, PPOConfig

__all__ = ["PPOAgent", "PPOConfig"]
