"""Recording real processes: the model ends where the real directory ends, or says that it cannot follow."""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.powercut.events import Promise, Sync, Write
from tests.powercut.kernel import UnsupportedCall
from tests.powercut.record import Recording, WorkloadFailed, crash_points, record
from tests.powercut.tree import Tree

ROOT = Path(__file__).parents[2]
NO_FSYNC = "libeatmydata.so"
"""Makes fsync and the like do nothing (the Debian package eatmydata)."""


def run(script: str, tmp_path: Path, *, before: Tree | None = None, preload: str | None = None) -> Recording:
    """Record a Python script that runs with the data directory as its working directory."""
    root, scratch = tmp_path / "data", tmp_path / "scratch"
    (before or Tree()).materialise(root)
    scratch.mkdir()
    script = f"import os\nos.chdir({str(root)!r})\n{script}"
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    if preload is not None:
        environment["LD_PRELOAD"] = preload
    return record([sys.executable, "-c", script], root=root, scratch=scratch, environment=environment)


EVERY_CALL = """
import fcntl
a = os.open("a", os.O_CREAT | os.O_RDWR)
os.write(a, bytes(range(256)))
os.lseek(a, 3, os.SEEK_SET); os.read(a, 7); os.write(a, b"after the read")
b = os.open(os.getcwd() + "/./b", os.O_CREAT | os.O_RDWR)
os.sendfile(b, a, 5, 10); os.sendfile(b, a, None, 10)
os.copy_file_range(a, b, 10); os.copy_file_range(a, b, 10, 2, 30)
os.writev(b, [b"ab", b"cd"]); os.pwritev(b, [b"xy", b"z"], 2); os.pwritev(b, [b"XY", b"Z"], 9, os.RWF_DSYNC)
os.mkdir("d"); d = os.open("d", os.O_RDONLY | os.O_DIRECTORY); os.mkdir("in", dir_fd=d)
os.rename("b", "c", dst_dir_fd=d); os.write(b, b"renamed"); os.fsync(d)
os.rename("d", "e"); c = os.open("c", os.O_RDWR | os.O_APPEND, dir_fd=d); os.write(c, b"appended")
os.pwrite(c, b"appended too", 0)
os.link("e/c", "f"); os.unlink("e/c"); os.write(b, b"one name less"); os.rmdir("in", dir_fd=d)
os.truncate("f", 100); os.ftruncate(a, 300); os.posix_fallocate(a, 200, 200); os.truncate(a, 390)
os.dup2(a, 40); os.pwrite(40, b"duplicate", 20); os.pwrite(fcntl.fcntl(a, fcntl.F_DUPFD, 50), b"another", 40)
os.close(40); os.sync(); os.fdatasync(a); os.utime("a"); os.chmod("a", 0o600)
os.write(os.open("i", os.O_CREAT | os.O_WRONLY), b"long")
os.write(os.open("i", os.O_WRONLY | os.O_TRUNC), b"s")
g = os.open("g", os.O_CREAT | os.O_RDWR); os.unlink("g"); os.write(g, b"into the void")
os.copy_file_range(g, b, 5, 0)
os.chdir("e"); os.close(os.open("g", os.O_CREAT | os.O_WRONLY | os.O_DSYNC))
os.fchdir(os.open("..", os.O_RDONLY))
os.rename("e/g", "j"); os.write(os.open("h", os.O_CREAT | os.O_WRONLY), b"h"); os.rename("h", "j")
"""

THREADS = """
import threading
def work(number):
    for step in range(20):
        fd = os.open(f"{number}.part", os.O_CREAT | os.O_WRONLY)
        os.write(fd, bytes([number]) * 2000); os.write(fd, bytes([step]) * 100); os.fsync(fd)
        os.rename(f"{number}.part", f"{number}.{step}"); os.write(fd, b"tail"); os.close(fd)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for each in threads: each.start()
for each in threads: each.join()
"""

FORKS = """
import subprocess, sys
fd = os.open("a", os.O_CREAT | os.O_WRONLY)
if os.fork() == 0:
    os.write(fd, b"child"); os.chdir("/"); os.close(fd); os._exit(0)
os.wait()
os.write(fd, b"parent")
subprocess.run([sys.executable, "-c", "open('b', 'w').write('grandchild')"], check=True)
"""

SHARED_MMAP = """
import mmap
file = open("a", "w+b"); file.truncate(10); mmap.mmap(file.fileno(), 10)
"""


@pytest.mark.parametrize("script", [EVERY_CALL, THREADS, FORKS], ids=["every call", "threads", "forks"])
def test_the_model_ends_where_the_directory_ends(script: str, tmp_path: Path) -> None:
    recording = run(script, tmp_path)  # raises ReplayMismatch if it does not
    *_, last = crash_points(recording)
    assert last.disk.volatile() == Tree.read(tmp_path / "data")


@pytest.mark.parametrize("seed", range(3))
def test_the_model_follows_a_random_walk(seed: int, tmp_path: Path) -> None:
    walk = f"""
import random
chance = random.Random({seed})
names = ["a", "b", "d/a", "d/b", "e/a"]
os.mkdir("d"); os.mkdir("e")
fds = []
def step():
    name, other, fd = chance.choice(names), chance.choice(names), chance.choice(fds or [None])
    number, data = chance.randrange(3000), chance.randbytes(chance.randrange(1500))
    match chance.randrange(9):
        case 0:
            wanted = os.O_CREAT | os.O_RDWR | chance.choice([0, os.O_APPEND, os.O_TRUNC])
            fds.append(os.open(name, wanted))
        case 1: os.rename(name, other)
        case 2: os.link(name, other)
        case 3: os.unlink(name)
        case 4: os.ftruncate(fd, number)
        case 5: os.pwrite(fd, data, number)
        case 6: os.fsync(fd)
        case 7: os.lseek(fd, chance.randrange(-100, 100), os.SEEK_CUR); os.read(fd, 10)
        case _: os.write(fd, data)
for _ in range(400):
    try: step()
    except (OSError, TypeError): pass
"""
    run(walk, tmp_path)


@pytest.mark.parametrize(
    "script",
    [
        SHARED_MMAP,
        "os.symlink('a', 'b')",
        "os.setxattr('.', 'user.a', b'b')",
        "os.mkfifo('a')",
        "os.open('.', os.O_TMPFILE | os.O_WRONLY)",
        "open('../scratch/outside', 'w').close(); os.rename('../scratch/outside', 'a')",
        "os.sendfile(os.open('a', os.O_CREAT | os.O_WRONLY), os.open('/proc/self/exe', os.O_RDONLY), 0, 10)",
        "import fcntl; fcntl.fcntl(os.open('a', os.O_CREAT | os.O_WRONLY), fcntl.F_SETFL, os.O_APPEND)",
        "r, w = os.pipe(); os.write(w, b'a'); os.splice(r, os.open('a', os.O_CREAT | os.O_WRONLY), 1)",
    ],
    ids=[
        "a shared writable mapping",
        "a symbolic link",
        "an extended attribute",
        "a special file",
        "a file without a name",
        "a file from outside",
        "bytes from outside",
        "a descriptor that begins to append",
        "bytes from a pipe",
    ],
)
def test_what_the_model_cannot_follow_is_refused(script: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCall):
        run(script, tmp_path)


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("os.write(os.open('a', os.O_WRONLY), b'new')", b"old"),
        ("os.write(os.open('a', os.O_WRONLY | os.O_DSYNC), b'new')", b"new"),
        ("os.write(os.open('a', os.O_WRONLY | os.O_SYNC | os.O_APPEND), b'new')", b"oldnew"),
        ("os.pwritev(os.open('a', os.O_WRONLY), [b'new'], 0, os.RWF_SYNC)", b"new"),
        ("fd = os.open('a', os.O_RDWR); os.write(fd, b'new'); os.fdatasync(os.dup(fd))", b"new"),
        ("os.write(os.open('a', os.O_WRONLY), b'new'); os.fsync(os.open('.', os.O_RDONLY))", b"old"),
        ("os.write(os.open('a', os.O_WRONLY), b'new'); os.sync()", b"new"),
    ],
    ids=["no sync", "O_DSYNC", "O_SYNC", "RWF_SYNC", "fdatasync", "fsync of the folder alone", "sync"],
)
def test_what_makes_a_write_durable(statement: str, left: bytes, tmp_path: Path) -> None:
    *_, last = crash_points(run(statement, tmp_path, before=Tree(files={"a": b"old"})))
    assert last.disk.lost().files == {"a": left}


def test_a_failed_workload_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(WorkloadFailed, match="NameError"):
        run("no_such_name", tmp_path)


def test_promises_stand_among_the_calls(tmp_path: Path) -> None:
    script = """
from tests.powercut.promises import promise
fd = os.open("a", os.O_WRONLY); os.write(fd, b"1"); promise("wrote"); os.fsync(fd); promise("synced")
"""
    events = run(script, tmp_path, before=Tree(files={"a": b""})).events
    assert [type(event) for event in events] == [Write, Promise, Sync, Promise]
    assert [event.text for event in events if isinstance(event, Promise)] == ["wrote", "synced"]


TRANSACTIONS = """
import sqlite3
from tests.powercut.promises import promise
catalog = sqlite3.connect("catalog.db", isolation_level=None)
for line in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4"):
    catalog.execute("PRAGMA " + line)
catalog.execute("CREATE TABLE row (number INTEGER, filling BLOB)")
for number in range(12):
    catalog.execute("INSERT INTO row VALUES (?, randomblob(1500))", (number,))
    promise(str(number))
"""


def crash_trees(recording: Recording) -> Iterator[tuple[Tree, set[int]]]:
    """Every tree that a power cut may leave of the transactions, and the rows promised by then."""
    for point in crash_points(recording):
        promised = {int(each) for each in point.promises}
        yield point.disk.lost(), promised
        yield point.disk.metadata_only(), promised
        yield point.disk.subset(f"{point.index}"), promised


def rows(tree: Tree, root: Path) -> set[int]:
    """The rows that SQLite recovers, from a database that is whole; none if there is no table."""
    tree.materialise(root)
    catalog = sqlite3.connect(root / "catalog.db")
    try:
        assert catalog.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not catalog.execute("SELECT 1 FROM sqlite_schema WHERE name = 'row'").fetchone():
            return set()
        return {number for (number,) in catalog.execute("SELECT number FROM row")}
    finally:
        catalog.close()


def test_committed_transactions_of_sqlite_survive_every_power_cut(tmp_path: Path) -> None:
    recording = run(TRANSACTIONS, tmp_path)
    for index, (tree, promised) in enumerate(crash_trees(recording)):
        assert promised <= rows(tree, tmp_path / f"crash-{index}")


def test_without_fsync_committed_transactions_are_lost(tmp_path: Path) -> None:
    recording = run(TRANSACTIONS, tmp_path, preload=NO_FSYNC)
    *_, last = crash_points(recording)
    assert len(last.promises) == 12
    assert rows(last.disk.lost(), tmp_path / "crash") == set()
