"""One lock per key: exclusive for a key, free for another, and gone afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

from storage.keyed_locks import KeyedLocks


def test_only_one_thread_holds_a_key() -> None:
    locks, inside, most = KeyedLocks(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with locks.hold("key") as held:
            assert held
            inside += 1
            most = max(most, inside)
            inside -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(200)))
    assert most == 1


def test_another_key_is_free() -> None:
    locks = KeyedLocks()
    with locks.hold("one") as one, locks.hold("other", timeout=0) as other:
        assert (one, other) == (True, True)


def test_who_does_not_get_the_key_in_time_is_told() -> None:
    locks = KeyedLocks()
    with ThreadPoolExecutor(1) as thread, locks.hold("key"):

        def attempt() -> bool:
            with locks.hold("key", timeout=0) as held:
                return held

        assert thread.submit(attempt).result() is False
    with locks.hold("key", timeout=0) as held:
        assert held


def test_a_waiter_gets_the_key_when_it_is_let_go() -> None:
    locks, got = KeyedLocks(), threading.Event()

    def wait() -> None:
        with locks.hold("key"):
            got.set()

    waiter = threading.Thread(target=wait)
    with locks.hold("key"):
        waiter.start()
        assert not got.is_set()
    waiter.join()
    assert got.is_set()


def test_no_lock_is_kept_when_nobody_wants_it() -> None:
    locks = KeyedLocks()
    for key in ("a", "b"):
        with locks.hold(key), locks.hold(key, timeout=0) as again:
            assert not again
    assert not locks._locks


def test_an_error_inside_lets_go() -> None:
    locks = KeyedLocks()
    try:
        with locks.hold("key"):
            raise LookupError
    except LookupError:
        pass
    with locks.hold("key", timeout=0) as held:
        assert held
