"""Where users live: simulated worlds and replayed logs, as Gymnasium environments."""
