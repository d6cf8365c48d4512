"""Targets are judged by what was measured, and by nothing else."""

import pytest

from benchmarks.peers import limit, nginx, partway
from benchmarks.plan import QUICK, merge_name, upload_name
from benchmarks.results import Results, Sample
from benchmarks.scenarios.merges import BY_CALLS, MILLISECONDS, TO_FILES
from benchmarks.scenarios.transfers import CPU, SPEED
from benchmarks.targets import Side, Target, targets

UPLOAD = upload_name(4, 8 << 20, with_digest=False)


@pytest.mark.parametrize(
    ("measured", "side", "verdict"),
    [
        pytest.param(2.1, Side.AT_LEAST, "reached", id="above"),
        pytest.param(2.0, Side.AT_LEAST, "reached", id="exactly"),
        pytest.param(1.99, Side.AT_LEAST, "not reached", id="below"),
        pytest.param(1.99, Side.AT_MOST, "reached", id="below-most"),
        pytest.param(2.1, Side.AT_MOST, "not reached", id="above-most"),
        pytest.param(None, Side.AT_MOST, "not measured", id="nothing"),
    ],
)
def test_verdicts(measured: float | None, side: Side, verdict: str) -> None:
    assert Target("claim", measured, side, 2.0, "times").verdict == verdict


def judged(*samples: Sample) -> dict[str, Target]:
    return {target.claim: target for target in targets(Results({}, samples), QUICK)}


def test_without_samples_nothing_was_measured() -> None:
    assert {target.verdict for target in judged().values()} == {"not measured"}


def test_uploads_are_held_against_each_peer_and_the_limit() -> None:
    found = judged(
        Sample(UPLOAD, partway.FAST, {SPEED: 3.0, CPU: 0.5}),
        Sample(UPLOAD, nginx.NAME, {SPEED: 1.5}),
        Sample(UPLOAD, limit.PLAIN, {SPEED: 4.0}),
    )
    what = "upload, 8 MiB chunks, 4 connections"
    assert found[f"{what}: against {nginx.NAME}"].measured == 2.0
    assert found[f"{what}: against {nginx.NAME}"].verdict == "reached"
    assert found[f"{what}: against {limit.PLAIN}"].verdict == "not reached"
    assert found[f"{what}: server CPU"].verdict == "reached"


def test_one_merge_that_copies_is_enough_to_miss_the_target() -> None:
    small, large = QUICK.merges
    metrics = {MILLISECONDS: 10.0, BY_CALLS: 4096, TO_FILES: 4096}
    found = judged(
        Sample(merge_name(small, flushed=True), partway.FAST, metrics),
        Sample(merge_name(large, flushed=True), partway.FAST, {**metrics, MILLISECONDS: 19.0}),
        Sample(merge_name(large, flushed=False), partway.FAST, {**metrics, BY_CALLS: large}),
        Sample(merge_name(large, flushed=False), partway.FAST, metrics),
    )
    assert found["merge of 64 MiB on disk already: against 4 MiB"].verdict == "reached"
    assert found["merge, any size: bytes made dirty in files, at most"].verdict == "reached"
    assert found["merge, any size: bytes handed to write calls, at most"].measured == 64
    assert found["merge, any size: bytes handed to write calls, at most"].verdict == "not reached"
