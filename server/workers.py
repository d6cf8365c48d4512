"""What a server process asks of kernel and interpreter for itself: descriptors, a parent, less collecting."""

import ctypes
import gc
import multiprocessing
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_GARBAGE_OBJECTS = 20_000


def allow_descriptors() -> None:
    """Raise the soft limit of open files to the hard one: a transfer needs up to three of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def leave_with_parent() -> None:
    """Stop in order when the parent is killed: else workers would keep the port, unknown to anybody."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        # It was killed before the kernel was asked.
        os.kill(os.getpid(), signal.SIGTERM)


def settle() -> None:
    """Once all is loaded: spare the garbage collector what stays for good, and most of its rounds.

    For a process of our own alone: what is frozen is never collected. Requests leave few cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)
