"""How a workload says, inside the recorded log, what its client has been told. Touches that file only."""

import os

VARIABLE = "POWERCUT_PROMISES"
"""The environment variable that names the file; the recorder sets it."""


def promise(text: str) -> None:
    """One line in one `write(2)`: its place among the other calls is the moment of the promise."""
    log = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(log, text.encode() + b"\n")
    finally:
        os.close(log)
