"""DT4IER: a decision transformer conditioned on immediate and long-term target returns.

One logged slate is one time step: a two-dimensional return-to-go, the items clicked so far, and
the slate. A causal transformer encodes these steps into a context for the next slate, and a
recurrent decoder generates the slate from that context. The network is trained to imitate a log.
When it acts, it is prompted with target returns, from which the rewards earned so far are deducted.

Reference: Liu et al., "Sequential Recommendation for Optimizing Both Immediate Feedback and
Long-term Retention", SIGIR 2024, arXiv:2404.03637, which extends DT4Rec (arXiv:2303.06347); both
build on the decision transformer (Chen et al. 2021, arXiv:2106.01345). The published tables are not
reproduced: the released code conditions its decoder on the slate that it is supposed to predict.

Differences from the paper:

- The rewards are any two named rewards of the problem; their returns are summed up to the user's
  last logged step. A session counts as low-reward if all of its rewards are below 0.6 of the
  largest in the log; one such session from the same batch is drawn for each step, and pairs that
  leave the prompt unchanged are ignored. The contrastive term minimises a cosine similarity.
- Returns-to-go are divided by the 95th percentile of the weighted returns-to-go. The grid of the
  soft buckets lies in [0, 1], and each bucket also has a free vector.
- The weights of a user's returns are computed from the user's numeric features in the log. Each
  return is first divided by its mean, so that units do not matter. The weights are trained first
  and then kept fixed. Without features, both returns have the same weight.
- States also include a linear map of the user's features (``user_features``): a new user has no
  clicks yet, so the model would otherwise see only its own slates.
- A slate consists of distinct candidates. With a temperature, items are sampled and the probability
  of the slate is known.
- Time steps are counted from the user's first slate in the log. The learning rate is 1e-3 with a
  warm-up, instead of 5e-3 and more.

Errors of the released code that are not repeated here:

- There, the decoder starts from the encoding of the target slate and learns to copy it; here, it
  sees only the context, so that random slates cannot be predicted.
- There, the softmax over buckets is taken over an axis of length one, so that all prompts have the
  same vector; here, it is taken over the buckets, and the temperature has an effect.
- There, one of the models lets states and slates attend to later steps; here, attention is causal.
- There, the contrastive term is computed but not added to the loss; here, it is.
- There, windows mix users, the last start rows are never drawn, and time steps are shifted by the
  padding; here, a window holds one user, and a window can start at every step.
- There, the begin, end and padding tokens coincide with items; here, they have ids of their own.
- There, the recurrent networks also process the padding after the items; here, they skip it.
- There, decoded slates repeat items, and the balancer is trained on test users; here, neither
  happens.
"""

from agents.dt4ier.agent import DT4IERAgent
from agents.dt4ier.config import DT4IERConfig

__all__ = ["DT4IERAgent", "DT4IERConfig"]
