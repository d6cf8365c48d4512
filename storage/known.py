"""Facts that this process has seen lately, so that a chunk or a range needs no catalog.

For what never changes but by ending, and whose end the blob store tells: an open upload of known size, and a
file. Whoever finds the blob gone forgets the fact, and asks the catalog.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

CAPACITY = 10_000

Key = TypeVar("Key", bound=Hashable)
Fact = TypeVar("Fact")


class Known(Generic[Key, Fact]):
    """The last `CAPACITY` facts, least recently used out first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: OrderedDict[Key, Fact] = OrderedDict()

    def find(self, key: Key) -> Fact | None:
        """The fact as it was remembered."""
        with self._lock:
            if key in self._facts:
                self._facts.move_to_end(key)
            return self._facts.get(key)

    def learn(self, key: Key, ask: Callable[[], Fact]) -> Fact:
        """The fact as it was remembered, else what `ask` says or raises; the answer is remembered."""
        fact = self.find(key)
        if fact is None:
            fact = ask()
            self.remember(key, fact)
        return fact

    def remember(self, key: Key, fact: Fact) -> None:
        """Keep a fact."""
        with self._lock:
            self._facts[key] = fact
            if len(self._facts) > CAPACITY:
                self._facts.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Ask again next time."""
        with self._lock:
            self._facts.pop(key, None)
