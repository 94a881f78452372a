r"""Long-term values of slates, composed of long-term values of items.

If a user chooses at most one item of a slate, and the future depends on the slate only through this
choice, the long-term value of slate A in state s is a mean over the possible choices,

.. math:: Q(s, A) = P(\varnothing \mid s, A)\, Q(s, \varnothing)
   + \sum_{i \in A} P(i \mid s, A)\, Q(s, i)

so it is enough to learn the values of items, not of the astronomically many slates. P is a
conditional logit with "no click" as an option (`agents.shared.choice_logit`). Both are learned from
the users' sequences in a log, first P by maximum likelihood, then Q by temporal differences with P
fixed:

.. math:: Q(s, i) \leftarrow r + \gamma\, \bar Q(s', A')

after a click on i, and likewise :math:`Q(s, \varnothing)` after no click. A' is the next slate of
the log (``backup: sarsa``: the value of the logging policy, and acting is one step of policy
improvement) or the best slate (``backup: q``); the bar denotes a slowly updated target network.
Slates of exactly K distinct items are found by sorting (`agents.slateq.optimisers`);
`agents.slateq.endings` decides what the end of a user's rows means; the state is described in
`agents.slateq.states` and `agents.slateq.network`.

Reference: Ie, Jain, Wang, Narvekar, Agarwal, Wu, Cheng, Chandra and Boutilier, "SlateQ: A Tractable
Decomposition for Reinforcement Learning with Recommendation Sets", IJCAI 2019; longer as
"Reinforcement Learning for Slate-based Recommender Systems: A Tractable Decomposition and Practical
Methodology", arXiv:1905.12767.

Differences from the paper:

- "No click" has its own Q, which depends on the state; it is part of the value of a slate and of
  all optimisers except ``top_k``. The paper's programme for the best slate counts only clicks.
- The choice model is fitted first and then fixed; in the paper it is given, or learned together
  with Q by one network.
- Q is the inner product of weights, computed from the state by one hidden layer, with item features
  and a learned embedding, so that all candidates are scored by one matrix product; the paper's
  network takes state and item as its input.
- The exact optimiser iterates sorts (Dinkelbach), where the paper solves a linear programme; the
  slates are the same.
- If a slate has several clicks, they share its step equally.
- The target network is updated a little at every step (``target_rate``), not replaced now and then.
- There is no discount for the time between sessions: gamma is per slate.
- Uniform slates with probability epsilon, with exact propensities, are an addition; logs of this
  agent can then be used for learning and off-policy evaluation.
"""

from agents.slateq.agent import SlateQAgent
from agents.slateq.config import SlateQConfig

__all__ = ["SlateQAgent", "SlateQConfig"]
