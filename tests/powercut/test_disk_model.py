"""The disk model: what each kind of power cut leaves of what was and was not synced."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.powercut.disk import SECTOR_SIZE, Disk
from tests.powercut.events import (
    ROOT,
    ChangeEntries,
    Copy,
    Entry,
    Event,
    Extend,
    Inode,
    Resize,
    Sync,
    SyncAll,
    Write,
    Zero,
)
from tests.powercut.tree import Tree

A, B = Inode(1), Inode(2)
D, E = Inode(3, is_directory=True), Inode(4, is_directory=True)
SEEDS = [str(seed) for seed in range(200)]
SECTOR = b"s" * SECTOR_SIZE


def make(name: str, inode: Inode, directory: Inode = ROOT) -> Event:
    return ChangeEntries(0, "open", {Entry(directory, name): inode})


def remove(name: str, directory: Inode = ROOT) -> Event:
    return ChangeEntries(0, "unlink", {Entry(directory, name): None})


def rename(inode: Inode, source: Entry, target: Entry) -> Event:
    return ChangeEntries(0, "rename", {source: None, target: inode})


def write(inode: Inode, data: bytes, offset: int | None = None) -> Write:
    return Write(0, inode, offset, data)


def sync(inode: Inode) -> Event:
    return Sync(0, 0, inode)


def disk_after(*events: Event, before: Tree | None = None) -> Disk:
    """A disk on which the events happened one after the other, at 1, 2, 3 …"""
    disk = Disk(before)
    for at, event in enumerate(events, start=1):
        if isinstance(event, Sync | SyncAll):
            disk.apply(replace(event, at=at, began=event.began or at))
        else:
            disk.apply(replace(event, at=at))
    return disk


FILE_A = [make("a", A), sync(ROOT)]
TWO_DIRECTORIES = [make("d", D), make("e", E), sync(ROOT)]
MOVE = rename(A, Entry(D, "a"), Entry(E, "a"))
IN_D = [*TWO_DIRECTORIES, make("a", A, D), write(A, b"one"), sync(A), sync(D)]


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([*FILE_A, write(A, b"one")], {"a": b""}),
        ([*FILE_A, write(A, b"one"), sync(A)], {"a": b"one"}),
        ([*FILE_A, write(A, b"one"), sync(A), write(A, b"two")], {"a": b"one"}),
        ([*FILE_A, write(A, b"one"), SyncAll(0, 0)], {"a": b"one"}),
        ([*FILE_A, replace(write(A, b"one"), is_synced=True)], {"a": b"one"}),
        ([*FILE_A, write(A, b"one"), sync(A), Resize(0, A, 1)], {"a": b"one"}),
        ([*FILE_A, write(A, b"one"), Resize(0, A, 1), sync(A)], {"a": b"o"}),
        ([*FILE_A, Extend(0, A, 3), sync(A), write(A, b"one", 0)], {"a": bytes(3)}),
        ([*FILE_A, write(A, b"one"), Zero(0, A, 1, 100), sync(A)], {"a": b"o\0\0"}),
        ([*FILE_A, write(A, b"one"), Copy(0, A, None, A, 1, 2), sync(A)], {"a": b"onene"}),
        ([make("a", A), write(A, b"one"), sync(A)], {}),
        ([make("a", A), SyncAll(0, 0)], {"a": b""}),
        ([*FILE_A, remove("a")], {"a": b""}),
        ([*FILE_A, remove("a"), sync(ROOT)], {}),
        ([make("d", D), make("a", A, D), sync(D)], {}),
        ([*IN_D, MOVE], {"d/a": b"one"}),
        ([*IN_D, MOVE, sync(D)], {"e/a": b"one"}),
        ([*IN_D, MOVE, sync(E)], {"e/a": b"one"}),
        ([*TWO_DIRECTORIES, make("a", A, D), MOVE, sync(E), sync(D)], {"e/a": b""}),
    ],
    ids=[
        "a write is lost",
        "a synced write is kept",
        "a write after the sync is lost",
        "sync(2) keeps a write",
        "a write through O_DSYNC is kept",
        "a truncation is lost",
        "a synced truncation is kept",
        "a write into reserved space is lost",
        "a synced hole is kept",
        "a synced copy is kept",
        "a synced file is lost with its name",
        "sync(2) keeps a name",
        "a removal is lost",
        "a synced removal is kept",
        "a name in a directory whose own name is not synced is lost",
        "a rename is lost whole",
        "a rename is kept whole by the folder it left",
        "a rename is kept whole by the folder it reached",
        "an old name does not come back after the rename was kept",
    ],
)
def test_a_cut_that_loses_all_it_may(events: list[Event], left: dict[str, bytes]) -> None:
    assert disk_after(*events).lost().files == left


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([make("a", A), write(A, b"one")], {"a": bytes(3)}),
        ([make("a", A), write(A, b"one"), sync(A), write(A, b"two", 1)], {"a": b"one\0"}),
        ([make("a", A), write(A, b"one"), sync(A), Resize(0, A, 0), write(A, b"two", 0)], {"a": bytes(3)}),
        ([make("a", A), Extend(0, A, 4), sync(A), write(A, b"one", 0)], {"a": bytes(4)}),
        ([*IN_D, MOVE], {"e/a": b"one"}),
        ([*FILE_A, remove("a")], {}),
    ],
    ids=[
        "unsynced bytes read as zeros",
        "bytes overwritten without a sync read as before",
        "a file rewritten in place reads as zeros",
        "reserved space reads as zeros",
        "a rename is kept",
        "a removal is kept",
    ],
)
def test_a_cut_that_keeps_names_and_sizes_but_no_data(events: list[Event], left: dict[str, bytes]) -> None:
    assert disk_after(*events).metadata_only().files == left


def test_what_is_written_while_a_sync_runs_is_not_covered_by_it() -> None:
    disk = disk_after(*FILE_A, write(A, b"before"), write(A, b"during"), Sync(0, 4, A))
    assert disk.lost().files == {"a": b"before"}


def test_a_name_made_while_a_sync_runs_is_not_covered_by_it() -> None:
    assert disk_after(make("a", A), make("b", B), Sync(0, 2, ROOT)).lost().files == {"a": b""}


def test_a_synced_write_wins_over_an_earlier_unsynced_one_of_the_same_bytes() -> None:
    late = replace(write(A, b"22", 0), is_synced=True)
    disk = disk_after(*FILE_A, write(A, b"111", 0), late, Sync(0, 4, A))
    assert disk.lost().files == {"a": b"221"}


def test_random_parts_are_the_same_for_the_same_seed() -> None:
    disk = disk_after(make("a", A), write(A, SECTOR * 20), make("b", B), remove("a"))
    assert [disk.subset(seed) for seed in SEEDS] == [disk.subset(seed) for seed in SEEDS]


def test_random_parts_tear_a_record_that_lies_across_a_border_of_sectors() -> None:
    start = SECTOR_SIZE - 2
    disk = disk_after(*FILE_A, Extend(0, A, SECTOR_SIZE * 2), sync(A), write(A, b"abcd", start))
    torn = {disk.subset(seed).files["a"][start : start + 4] for seed in SEEDS}
    assert torn == {b"\0\0\0\0", b"ab\0\0", b"\0\0cd", b"abcd"}


def test_random_parts_never_split_a_sector_nor_keep_a_later_write_without_the_earlier() -> None:
    disk = disk_after(*FILE_A, Extend(0, A, SECTOR_SIZE), sync(A), write(A, b"1", 0), write(A, b"2", 1))
    assert {disk.subset(seed).files["a"][:2] for seed in SEEDS} == {b"\0\0", b"1\0", b"12"}


def test_random_parts_sometimes_keep_a_size_without_its_data() -> None:
    disk = disk_after(*FILE_A, write(A, b"one"))
    assert {disk.subset(seed).files["a"] for seed in SEEDS} == {b"", bytes(3), b"one"}


def test_random_parts_keep_directory_changes_in_order() -> None:
    disk = disk_after(make("a", A), make("b", B), remove("a"))
    assert {tuple(sorted(disk.subset(seed).files)) for seed in SEEDS} == {(), ("a",), ("a", "b"), ("b",)}


def test_random_parts_keep_all_that_was_synced() -> None:
    disk = disk_after(*FILE_A, write(A, SECTOR * 3), sync(A), make("b", B), write(B, SECTOR))
    assert {disk.subset(seed).files["a"] for seed in SEEDS} == {SECTOR * 3}


def test_what_was_there_before_is_durable_and_keeps_its_names() -> None:
    before = Tree(frozenset({"d", "d/e"}), {"d/e/a": b"old"})
    disk = disk_after(write(before.inodes()["d/e/a"], b"new", 0), before=before)
    assert disk.lost() == before
    assert disk.volatile().files == {"d/e/a": b"new"}


def test_a_tree_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    tree = Tree(frozenset({"d", "d/empty"}), {"d/a": b"one", "b": b""})
    tree.materialise(tmp_path / "data")
    assert Tree.read(tmp_path / "data") == tree
    assert tree.difference(Tree(frozenset({"d"}), {"d/a": b"two", "b": b""})) == ["d/a", "d/empty"]
