"""Measures Partway beside its peers and the machine's limits, in one run on one machine.

`scripts/bench` makes what this needs and runs it. It starts servers on 127.0.0.1, writes below one folder,
and imports nothing of Partway: Partway is run as users run it.
"""
