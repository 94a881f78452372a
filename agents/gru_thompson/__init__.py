"""Bayesian slate bandits that explore within the slate.

A hierarchical Bayesian model of choices from slates: item vectors that share a group's mean and
scale, a user whose preference changes with every click (linearly, or by a gated recurrent unit),
and a softmax choice with "nothing" among the options. Variational inference gives a posterior; a
slate combines several samples from it. The method is myopic: it does not model long-term value.

Reference: Eide, Leslie and Frigessi, "Dynamic Slate Recommendation with Gated Recurrent Units and
Thompson Sampling", Data Mining and Knowledge Discovery 36 (2022), arXiv:2104.15046.

Differences from the paper and its code. `reproductions.gru_thompson.published` undoes those marked
with *:

- * The likelihood is not tempered (temperature 1; the authors' best is 0.026, a strongly cold
  posterior; see ``likelihood_temperature``). The divergence of the initial states is scaled like
  the likelihood of their users, while the code leaves it unscaled.
- * Users without a click start from the prior; the code uses deviation 2e-4 around 0.
- * All clicks count for the initial state; the code leaves out clicks on the first item.
- * Group scales are the softplus of a Gaussian that starts at 1/2; in the code, the absolute value
  of a Gaussian that starts near 0.
- * Adam's betas are (0.9, 0.999), there is one sample per step and no bound on the gradient; in the
  code (0.1, 0.1), four samples, and 100. The read-out of the recurrent state starts at the
  identity.
- There are no vectors for padding, "nothing" and unknown items. In the code they are learned and
  enter the deviation of the initial state.
- Divergences between Gaussians are exact given the group scales; the code samples them.
- The prior of the recurrent matrices is N(0, 1), which is also the effective prior in the code,
  where the corresponding setting has no effect; here, ``gru_scale`` has one.
- Training stops when neither the likelihood nor the hit rate of held-out choices improves, and both
  decide which state is kept; the code uses the loss. Stages are optional (``training:
  end_to_end``). The second stage also fixes the means and scales of the groups.
- The state ``lingru`` is implemented as the mean of two preferences; ``markov`` does not run in the
  code.
- The initial state is always a function of the clicks. The code can also learn a mean and a scale
  for each training user, which does not carry over to other users.
- Several clicks on a slate are several choices, one after the other.
- When acting, the agent knows a user only by the clicks in the observed history, and samples are
  independent across users; the code shares them in groups of three. ``share_draws`` shares them
  within a batch.
- ``ucb``, ``epsilon_greedy`` on the posterior, pruning and estimated propensities are additions.
"""

from agents.gru_thompson.agent import GRUThompsonAgent
from agents.gru_thompson.config import GRUThompsonConfig

__all__ = ["GRUThompsonAgent", "GRUThompsonConfig"]
