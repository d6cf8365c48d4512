"""Rounds are interleaved, and a load is cut into chunks that cover it."""

from itertools import count

import pytest

from benchmarks.peers.base import Load, Part, Subject, deal
from benchmarks.plan import Scenario, is_wanted, measure, rotated
from benchmarks.results import Sample

SUBJECTS = [Subject(name, 0, 0) for name in "abc"]


def test_each_round_begins_with_another_server() -> None:
    runs = count()
    scenarios = [
        Scenario("all", lambda _: True, lambda _: {"n": 1.0}),
        Scenario(
            "some", lambda subject: subject.name != "b", lambda _: {"n": float(next(runs))}, warms_up=True
        ),
    ]
    heard: list[Sample] = []
    samples = measure(scenarios, SUBJECTS, 2, heard.append)
    order = [f"{sample.scenario} {sample.subject}" for sample in samples]
    first = ["all a", "all b", "all c", "some a", "some c"]
    assert order == [*first, "all b", "all c", "all a", "some c", "some a"]
    assert heard == samples
    warmed = [sample.metrics["n"] for sample in samples if sample.scenario == "some"]
    assert warmed == [1, 3, 5, 7], "the first of two runs does not count"


@pytest.mark.parametrize(
    ("prefixes", "wanted"), [([], True), (["up"], True), (["down", "up/"], True), (["down"], False)]
)
def test_only_what_is_wanted_is_run(prefixes: list[str], wanted: bool) -> None:
    scenario = Scenario("up/1", lambda _: True, lambda _: {})
    assert is_wanted(scenario, prefixes) == wanted


def test_rotation_goes_round() -> None:
    assert rotated(SUBJECTS, 4) == rotated(SUBJECTS, 1) == [SUBJECTS[1], SUBJECTS[2], SUBJECTS[0]]
    assert rotated([], 3) == []


@pytest.mark.parametrize(
    ("size", "chunk_size", "chunks"),
    [
        pytest.param(8, 4, [(0, 4), (4, 4)], id="even"),
        pytest.param(9, 4, [(0, 4), (4, 4), (8, 1)], id="short-last"),
        pytest.param(3, 4, [(0, 3)], id="one"),
    ],
)
def test_chunks_cover_a_load(size: int, chunk_size: int, chunks: list[tuple[int, int]]) -> None:
    assert Load(size, chunk_size, 1).chunks == chunks


def test_parts_are_dealt_to_no_more_connections_than_there_are_parts() -> None:
    parts = [Part(b"", offset, 1) for offset in range(3)]
    assert deal(parts, 2) == ([parts[0], parts[2]], [parts[1]])
    assert deal(parts, 4) == ([parts[0]], [parts[1]], [parts[2]])
