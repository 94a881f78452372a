r"""Long-term values of slates, put together from long-term values of items.

If a user chooses at most one item of a slate and only the choice matters for what follows, the
long-term value of slate A in state s is a mean over what may be chosen,

.. math:: Q(s, A) = P(\varnothing \mid s, A)\, Q(s, \varnothing)
   + \sum_{i \in A} P(i \mid s, A)\, Q(s, i)

so that values of items are learned, not of slates, whose number is astronomic. P is a conditional
logit with "no click" among the options (`agents.shared.choice_logit`). Both are learned from the
users' sequences in a log, first P by maximum likelihood, then Q by temporal differences with P
fixed:

.. math:: Q(s, i) \leftarrow r + \gamma\, \bar Q(s', A')

after a click on i, and the same for :math:`Q(s, \varnothing)` after no click. A' is the next slate
of the log (``backup: sarsa``: the value of the logging policy, which acting improves on by one
step) or the best one (``backup: q``), and the bar a slowly following copy. Slates of exactly K
distinct items are made by sorting (`agents.slateq.optimisers`); a user's end in the log is read by
`agents.slateq.endings`; the state is described in `agents.slateq.states` and
`agents.slateq.network`.

Reference: Ie, Jain, Wang, Narvekar, Agarwal, Wu, Cheng, Chandra and Boutilier, "SlateQ: A Tractable
Decomposition for Reinforcement Learning with Recommendation Sets", IJCAI 2019; longer as
"Reinforcement Learning for Slate-based Recommender Systems: A Tractable Decomposition and Practical
Methodology", arXiv:1905.12767.

Differences from the paper:

- No click has a Q of its own, which depends on the state; it enters the value of a slate and all
  optimisers but ``top_k``. The paper's programme for the best slate counts what clicks earn only.
- The choice model is fitted first and then stays fixed; in the paper it is given, or one network
  learns it and Q at once.
- Q is an inner product of weights, told from the state by one hidden layer, and of item features
  beside a learned embedding, so that all candidates are scored by one matrix product; the paper's
  network joins state and item.
- The exact optimiser iterates sorts (Dinkelbach) where the paper solves a linear programme; the
  slates are the same.
- Several clicks on a slate share its step equally, as if one of them were drawn.
- The slow copy follows at every step (``target_rate``) instead of being replaced now and then.
- Time between sessions does not discount: gamma is per slate.
- Uniform slates with probability epsilon, with exact propensities, are an addition, for logs that
  are to be learned from again.
"""

from agents.slateq.agent import SlateQAgent
from agents.slateq.config import SlateQConfig

__all__ = ["SlateQAgent", "SlateQConfig"]
