"""Next-item recommenders: they predict a user's next event from the sequence of earlier ones.

Three encoders of item sequences, each with the loss of its paper, in one agent. They are myopic: an
item's score is how likely it comes next, regardless of its long-term reward.

References:
- ``sasrec``: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018,
  arXiv:1808.09781.
- ``bert4rec``: Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder
  Representations from Transformer", CIKM 2019, arXiv:1904.06690.
- ``gru4rec``: Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR
  2016, arXiv:1511.06939; TOP1-max is that of Hidasi and Karatzoglou 2018, arXiv:1706.03847.

Differences from the papers:

- All: every sequence begins with a start token. Its state represents users without events, so
  their ranking is learned popularity; the papers omit such users.
- All: a long sequence is cut into windows, and all of them are used for training. Training stops
  when the mean reciprocal rank of the next events of held-out users no longer improves, and the
  best state is kept. Ranks are among the whole catalogue, not among sampled items.
- Both transformers: padding is on the right. ``sasrec`` counts positions from the oldest event,
  ``bert4rec`` from the latest (the papers: from the latest). Blocks are pre-norm and have a GELU
  layer of width 4 D (SASRec: ReLU of width D; BERT4Rec is post-norm). Position embeddings are
  initialised at the scale of item embeddings.
- ``sasrec``: negatives are drawn from all items except the next one; the authors exclude all events
  of the user. The softmax over all items is an option.
- ``bert4rec``: a fraction ``next_share`` of the windows are cut at a random position and only their
  last event is masked, as in acting; the paper masks the last event of the whole sequence. The
  learning rate is constant.
- ``gru4rec``: negatives are drawn uniformly for each event; in the paper they are the other events
  of the batch, hence drawn by popularity. Sequences of a batch are padded, not run in parallel
  sessions, and the optimiser is Adam. There is one layer by default.
"""

from agents.sequential.agent import BERT4RecAgent, GRU4RecAgent, SASRecAgent
from agents.sequential.config import BERT4RecConfig, GRU4RecConfig, SASRecConfig

__all__ = [
    "BERT4RecAgent",
    "BERT4RecConfig",
    "GRU4RecAgent",
    "GRU4RecConfig",
    "SASRecAgent",
    "SASRecConfig",
]
