"""Bayesian slate bandits that explore inside the slate.

A hierarchical Bayesian model of choices from slates: item vectors that share a group's mean and
scale, a user whose preference moves with every click (linearly, or by a gated recurrent unit), and
a softmax choice with "nothing" among the options. Variational inference gives a posterior; a slate
mixes several draws of it. It is myopic: no long-term value.

Reference: Eide, Leslie and Frigessi, "Dynamic Slate Recommendation with Gated Recurrent Units and
Thompson Sampling", Data Mining and Knowledge Discovery 36 (2022), arXiv:2104.15046.

Differences from the paper and its code. What is marked * is undone by ``faithful=True``:

- * The likelihood is not tempered (temperature 1; the authors' best is 0.026, a strongly cold
  posterior), and the divergence of the initial states is scaled like the likelihood of their users
  (the code leaves it unscaled). ``likelihood_temperature`` sets the former by itself.
- * A user without a click starts from the prior; the code gives deviation 2e-4 around 0.
- * All clicks count for the initial state; the code leaves out those on the first item.
- * There are no vectors for padding, "nothing" and unknown items, which in the code are learned and
  enter the deviation of the initial state.
- * Scales of groups are softplus of a Gaussian that starts at 1/2; in the code, the absolute value
  of one that starts near 0.
- * Adam's betas are (0.9, 0.999), there is one draw per step and no bound of the gradient; in the
  code (0.1, 0.1), four, and 100. The read-out of the recurrent state starts at the identity.
- Divergences between Gaussians are exact given the scales of groups; the code samples them.
- The prior of the recurrent matrices is N(0, 1) as it is in effect in the code, whose setting for
  it has no effect; here ``gru_scale`` has one.
- Training stops when neither the likelihood nor the hit rate of held-out choices improves, and
  looks at both to choose what to keep; the code looks at the loss. Stages may be left out
  (``training: end_to_end``). In the second stage means and scales of groups are fixed too.
- The state ``lingru`` is read as the mean of two preferences; ``markov`` does not run in the code.
- The initial state is always a function of the clicks. The code can also learn a mean and a scale
  for each training user, which says nothing of anybody else.
- Several clicks on a slate are several choices, one after the other.
- When acting, a user is known by the clicks in the observed history alone, and draws are made anew
  for every user; the code shares them in groups of three. ``share_draws`` shares them in a batch.
- ``ucb``, ``epsilon_greedy`` on the posterior, pruning and estimated propensities are additions.
"""

from agents.gru_thompson.agent import GRUThompsonAgent
from agents.gru_thompson.config import GRUThompsonConfig

__all__ = ["GRUThompsonAgent", "GRUThompsonConfig"]
