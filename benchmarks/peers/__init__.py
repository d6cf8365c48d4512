"""The servers that are measured: each module tells how to start one and how to talk to it."""
