"""Programs that are run with the packages of the benchmark's own environment, not with Partway's."""
