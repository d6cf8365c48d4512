"""Reads an strace log (`strace -f -y -xx`) into system calls, in the order in which they returned.

Lexical only: joins `<unfinished ...>` with `resumed`, drops calls that failed, decodes arguments on request.
What a call does to the disk is `kernel.py`'s business. Pure: touches no files.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_COMPLETE = re.compile(r"(\w+)\((.*)\)\s+= (-?\w+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = re.compile(r"(.*?) ?<unfinished \.\.\.>", re.DOTALL)
_NO_CALL = ("---", "+++")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)>)?")
_BASE = re.compile(r'iov_base=("[^"]*"(?:\.\.\.)?)')


class MalformedLog(Exception):
    """A line of the log is not what strace is known to print."""

    def __init__(self, number: int, line: str) -> None:
        super().__init__(f"line {number}: {line[:300]}")
        self.number, self.line = number, line


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded, or (`result` is None) was cut short by the end of its process.

    `entered` and `returned` are line numbers of the log: they order calls of different threads.
    """

    entered: int
    returned: int
    pid: int
    name: str
    arguments: tuple[str, ...]
    result: int | None
    detail: str = ""

    def __str__(self) -> str:
        return f"line {self.returned}: {self.name}({', '.join(self.arguments)[:300]}) = {self.result}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor as `-y` prints it; `path` is None where the kernel had no path to show."""

    number: int
    path: str | None


@dataclass(frozen=True, slots=True)
class _Begun:
    entered: int
    text: str


def read_calls(lines: Iterable[str]) -> Iterator[Call]:
    """Every call that may have had an effect; calls that failed are left out.

    :raises MalformedLog: for a line that is neither a call, a signal nor an exit.
    """
    begun: dict[int, _Begun] = {}
    number = 0
    for number, line in enumerate(lines, start=1):
        call = _read_line(number, line.rstrip("\n"), begun)
        if call is not None and (call.result is None or call.result >= 0):
            yield call
    for pid, entry in begun.items():
        yield _cut_short(number, pid, entry)


def _read_line(number: int, line: str, begun: dict[int, _Begun]) -> Call | None:
    pid_text, _, text = line.partition(" ")
    text = text.strip()
    if not pid_text.isdigit():
        raise MalformedLog(number, line)
    pid = int(pid_text)
    if text.startswith(_NO_CALL):
        return None
    if resumed := _RESUMED.fullmatch(text):
        return _resume(number, pid, resumed[2], begun)
    if text.endswith("<unfinished ...>"):
        return _begin(number, pid, text, begun)
    return _complete(number, number, pid, text.replace(" <unfinished ...>)", ")"))


def _begin(number: int, pid: int, text: str, begun: dict[int, _Begun]) -> Call | None:
    match = _UNFINISHED.fullmatch(text)
    if match is None:
        raise MalformedLog(number, text)
    begun[pid] = _Begun(number, match[1])
    if text.startswith("close("):
        # The number is free as soon as close begins: another thread may get it before this one returns.
        return _complete(number, number, pid, match[1].rstrip() + ") = 0")
    return None


def _resume(number: int, pid: int, rest: str, begun: dict[int, _Begun]) -> Call | None:
    if pid not in begun:
        raise MalformedLog(number, rest)
    entry = begun.pop(pid)
    if entry.text.startswith("close("):
        return None
    if rest.startswith(" <unfinished ...>"):
        return _cut_short(number, pid, entry)
    return _complete(entry.entered, number, pid, entry.text + rest)


def _cut_short(number: int, pid: int, entry: _Begun) -> Call:
    name, _, arguments = entry.text.partition("(")
    return Call(entry.entered, number, pid, name, _split(arguments), None)


def _complete(entered: int, returned: int, pid: int, text: str) -> Call:
    match = _COMPLETE.fullmatch(text)
    if match is None:
        raise MalformedLog(returned, text)
    name, arguments, result, detail = match.groups()
    return Call(entered, returned, pid, name, _split(arguments), _result(result, detail), detail)


def _result(text: str, detail: str) -> int | None:
    if text != "?":
        return int(text, 0)
    # "? ERESTARTSYS": interrupted before it did anything, the kernel enters it again.
    return -1 if detail.lstrip().startswith("E") else None


def _split(text: str) -> tuple[str, ...]:
    """Cut at the commas that stand in no bracket. With -xx no string or path holds a bracket or a comma."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"[\[({\])},]", text):
        if match[0] == "," and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
        elif match[0] != ",":
            depth += 1 if match[0] in "[({" else -1
    parts.append(text[start:].strip())
    return tuple(part for part in parts if part)


def payload(argument: str) -> bytes:
    """The bytes of a string or of the buffers of an iovec array.

    :raises ValueError: the log holds only a part of them (`strace -s` was too small).
    """
    buffers = _BASE.findall(argument) if argument.startswith("[") else [argument]
    return b"".join(_unescape(buffer) for buffer in buffers)


def text(argument: str) -> str:
    """A path argument, as Python spells file names."""
    return os.fsdecode(payload(argument))


def descriptor(argument: str) -> Descriptor:
    """A descriptor argument; `AT_FDCWD` has the number -1."""
    match = _DESCRIPTOR.match(argument)
    if match is None:
        raise ValueError(f"not a descriptor: {argument[:100]}")
    number = -1 if match[1] == "AT_FDCWD" else int(match[1])
    return Descriptor(number, None if match[2] is None else os.fsdecode(_from_hex(match[2])))


def flags(argument: str) -> frozenset[str]:
    """The names of an or-ed set of flags."""
    return frozenset(argument.split("|"))


def number(argument: str) -> int:
    """A decimal, hexadecimal or octal number, also one behind a pointer: `[5] => [15]`."""
    digits = argument.lstrip("[").split("]")[0]
    return int(digits, 8) if re.fullmatch(r"0[0-7]+", digits) else int(digits, 0)


def _unescape(argument: str) -> bytes:
    match = _STRING.fullmatch(argument)
    if match is None:
        raise ValueError(f"not a string: {argument[:100]}")
    if match[2]:
        raise ValueError(f"strace cut this string short: {argument[:100]}")
    return _from_hex(match[1])


def _from_hex(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))
