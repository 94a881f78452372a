"""CE-VAE: an autoencoder of items and aspects with critiques in its latent space.

An encoder maps the items that a user reviewed to a latent vector; linear decoders predict items and
aspects from it. A third linear map, the inverse, maps aspects back to the latent vector. A critique
changes the predicted aspects; their inverse, averaged with the user's own vector, gives the new
ranking of the items.

Reference: Luo, Yang, Wu and Sanner, "Deep Critiquing for VAE-based Recommender Systems", SIGIR
2020.

Differences from the paper and its code:

- The paper has a single critique. How others used it over several turns is unknown. Here, every
  turn starts from the user's own vector, changes all aspects critiqued so far at once, and averages
  once; after one critique, this is the published step. A positive critique, which the paper does
  not have, sets an aspect to the largest prediction.
- The target for an aspect is whether any train review of the user mentions it. The justification
  depends on the user alone, as published: it consists of the aspects with the highest predictions,
  whether or not the item has them. Critiqued aspects are not shown again.
- Squared errors are summed over items and over aspects, and averaged over users only.
- Training stops when the rank of the validation items no longer improves.
"""

from agents.critiquing.ce_vae.agent import CEVAEAgent
from agents.critiquing.ce_vae.config import CEVAEConfig

__all__ = ["CEVAEAgent", "CEVAEConfig"]
