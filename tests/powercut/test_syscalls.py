"""The reader of strace logs: what it joins, drops and refuses."""

import pytest

from tests.powercut.syscalls import (
    Call,
    Descriptor,
    MalformedLog,
    descriptor,
    flags,
    number,
    payload,
    read_calls,
    text,
)

A = r"\x2f\x61"


def read(log: str) -> list[Call]:
    return list(read_calls(log.splitlines(keepends=True)))


def test_a_call_is_split_into_arguments_and_result() -> None:
    (call,) = read(rf'7  pwrite64(3<{A}>, "\x00\x2c\x29", 3, 4096) = 3')
    assert call == Call(1, 1, 7, "pwrite64", (rf"3<{A}>", r'"\x00\x2c\x29"', "3", "4096"), 3)


def test_a_call_of_one_thread_is_joined_across_calls_of_another() -> None:
    calls = read(f"7 fsync(3<{A}> <unfinished ...>\n8 sync() = 0\n7 <... fsync resumed>) = 0")
    assert [(call.name, call.entered, call.returned) for call in calls] == [("sync", 2, 2), ("fsync", 1, 3)]
    assert calls[1].arguments == (f"3<{A}>",)


def test_a_descriptor_is_free_as_soon_as_close_begins() -> None:
    calls = read(f"7 close(3<{A}> <unfinished ...>\n8 sync() = 0\n7 <... close resumed>) = 0")
    assert [call.name for call in calls] == ["close", "sync"]


@pytest.mark.parametrize(
    "line",
    [
        r'7 unlink("\x61") = -1 ENOENT (No such file or directory)',
        r'7 write(1<\x61>, "\x61", 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)',
        "7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---",
        "7 +++ exited with 0 +++",
    ],
    ids=["failed", "interrupted before it began", "signal", "exit"],
)
def test_what_changed_nothing_is_dropped(line: str) -> None:
    assert read(line) == []


@pytest.mark.parametrize(
    "log",
    [
        f"7 fsync(3<{A}> <unfinished ...>) = ?",
        f"7 fsync(3<{A}> <unfinished ...>\n7 <... fsync resumed> <unfinished ...>) = ?",
        f"7 fsync(3<{A}> <unfinished ...>\n7 +++ killed by SIGKILL +++",
    ],
    ids=["at once", "after it was resumed", "never resumed"],
)
def test_a_call_cut_short_by_the_end_of_its_process_has_no_result(log: str) -> None:
    assert [(call.name, call.arguments, call.result) for call in read(log)] == [("fsync", (f"3<{A}>",), None)]


@pytest.mark.parametrize("line", ["garbage", "7 fsync(3", "7 <... fsync resumed>) = 0"])
def test_a_line_that_is_not_understood_raises(line: str) -> None:
    with pytest.raises(MalformedLog):
        read(line)


def test_arguments_are_decoded() -> None:
    assert text(rf'"{A}"') == "/a"
    assert payload(r'[{iov_base="\x61", iov_len=1}, {iov_base="\x62", iov_len=1}]') == b"ab"
    assert descriptor(f"5<{A}>(deleted)") == Descriptor(5, "/a")
    assert descriptor(f"AT_FDCWD<{A}>") == Descriptor(-1, "/a")
    assert flags("O_RDWR|O_CREAT") == {"O_RDWR", "O_CREAT"}
    assert [number(each) for each in ("10", "0x10", "[5] => [15]", "[-1]")] == [10, 16, 5, -1]


def test_a_string_that_strace_cut_raises() -> None:
    with pytest.raises(ValueError, match="short"):
        payload(r'"\x61"...')
