"""The HTTP layer of Partway: it speaks for the storage, and decides nothing the storage decides."""
