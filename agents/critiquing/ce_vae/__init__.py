"""CE-VAE: an autoencoder of what users took and wrote of, whose latent space is criticised.

An encoder turns the items that a user reviewed into a latent vector; linear decoders predict items
and aspects from it. A third linear map, the inverse, goes back from aspects to the latent vector.
A critique changes the predicted aspects; their inverse, averaged with the user's own vector, ranks
the items anew.

Reference: Luo, Yang, Wu and Sanner, "Deep Critiquing for VAE-based Recommender Systems", SIGIR
2020.

Differences from the paper and its code:

- The paper criticises once. How others used it over several turns is not known. Here every turn
  starts from the user's own vector, changes all aspects that were criticised so far at once, and
  averages once; after one critique that is the published step. Praise, which the paper does not
  have, sets an aspect to the largest prediction.
- What is predicted of aspects is whether the user wrote of them at all in train reviews. The
  justification is of the user, as published: the aspects that are predicted highest. It says
  nothing of whether the item has them. What was criticised is not shown again.
- Squared errors are summed over items and over aspects, and averaged over users only.
- Training ends when the rank of the items held out for choosing no longer rises.
"""

from agents.critiquing.ce_vae.agent import CEVAEAgent, CEVAEConfig

__all__ = ["CEVAEAgent", "CEVAEConfig"]
