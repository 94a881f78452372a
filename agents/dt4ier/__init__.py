"""A decision transformer that is asked for immediate and long-term reward.

One logged slate is one time step: a two-dimensional return-to-go, the items clicked so far, and
the slate. A causal transformer over these steps gives the context of the next slate, and a
recurrent network writes the slate from it. Trained by imitation of a log, it is then prompted with
the returns that are wanted, from which what has been earned is deducted.

Reference: Liu et al., "Sequential Recommendation for Optimizing Both Immediate Feedback and
Long-term Retention", SIGIR 2024, arXiv:2404.03637, which extends DT4Rec (arXiv:2303.06347); both
stand on the decision transformer (Chen et al. 2021, arXiv:2106.01345). The published tables are not
reproduced: the released code conditions its decoder on the slate that it has to predict.

Differences from the paper:

- Rewards are any two named ones of the problem, their returns the sums to the user's last logged
  step. A low-reward session is one whose rewards are all below 0.6 of the largest in the log, and
  one of the same batch is drawn for each step; a pair that would not change the prompt counts
  nothing. The contrast is the cosine, which is made small.
- Returns are divided by the 95th percentile of the weighted returns-to-go. The grid of the soft
  buckets lies in [0, 1], and each bucket has a free vector too.
- Weights of users come from the numeric features of the log, after each return is divided by its
  mean, so that units do not decide; they are trained first and then held. No features: equal.
- States also hold a linear map of the user's features (``user_features``): a new user has clicked
  nothing, and the model would know of them only its own slates.
- A slate's items are distinct and among the candidates. With a temperature they are drawn, and the
  probability of the slate is known.
- The step in time is counted from the user's first slate of the log. Learning rate 1e-3 with a
  warm-up, in place of 5e-3 and more.

What the released code does and this one does not:

- The decoder there starts from the encoding of the target slate, so that it copies; here it sees
  the context only, and random slates cannot be predicted.
- The softmax over buckets there runs over an axis of length one, which makes every prompt the same
  vector; here it runs over the buckets, with the temperature in use.
- In one of the models there, states and slates see later steps; here nothing does.
- The contrastive term there is computed and dropped; here it is in the loss.
- Windows there mix users, the last start rows are never drawn, and time steps are shifted at
  padding; here a window is of one user, and every step begins one.
- The tokens of beginning, end and padding there are also items; here they lie outside the items.
- Padding there is run through the recurrent networks after the items; here it is left out.
- Decoding there repeats items, and the balancer sees test users; here neither happens.
"""

from agents.dt4ier.agent import DT4IERAgent
from agents.dt4ier.config import DT4IERConfig

__all__ = ["DT4IERAgent", "DT4IERConfig"]
