"""Next-item recommenders: they predict a user's next event from the sequence of earlier ones.

Three encoders of item sequences in one agent, with one recipe of input, output and training. They
are myopic: an item's score is how likely it comes next, regardless of its long-term reward.

References:
- ``sasrec``: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018,
  arXiv:1808.09781.
- ``bert4rec``: Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder
  Representations from Transformer", CIKM 2019, arXiv:1904.06690.
- ``gru4rec``: Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR
  2016, arXiv:1511.06939; TOP1-max is that of Hidasi and Karatzoglou 2018, arXiv:1706.03847.

- ``sampled``: the correction for how often negatives are drawn is that of Bengio and Senecal 2008;
  ``gbce``: Petrov and Macdonald 2023, arXiv:2308.07192.

Differences from the papers:

- All: every sequence begins with a start token. Its state represents users without events, so
  their ranking is learned popularity; the papers omit such users.
- All: items have a bias that begins at the logarithm of popularity. Training stops when NDCG@10 of
  held-out events no longer improves, and the best state is kept. Ranks are among the whole
  catalogue, not among sampled items. The learning rate falls linearly.
- All: the default loss is a softmax over all items or over many sampled ones, corrected for how
  often they are drawn. SASRec's paper has one negative per event, GRU4Rec's the other events of the
  batch.
- Both transformers: positions are counted from the last token. Blocks are pre-norm and have a GELU
  layer of width 4 D (SASRec: ReLU of width D; BERT4Rec is post-norm).
- ``sasrec``: negatives of ``bce`` are drawn from all items except the next one; the authors exclude
  all events of the user.
- ``bert4rec``: a fraction ``next_share`` of the windows are cut at a random position and only their
  last event is masked, as in acting; the paper masks the last event of the whole sequence. There is
  no further layer before the softmax.
- ``gru4rec``: input and output vectors of items are the same, and a state is mapped to their length
  and normalised. Sequences of a batch are padded, not run in parallel sessions, and the optimiser
  is Adam. There is one layer by default.
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
