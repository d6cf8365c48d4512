"""Where bytes live: the contract in `base`, and the stores that keep it."""
