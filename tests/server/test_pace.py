"""When a peer is too slow: arithmetic over a clock that the test holds."""

import pytest

from server.pace import Pace, PaceLimits

SILENT = PaceLimits(silence=10)
RATED = PaceLimits(silence=10, rate=100, grace=5)


@pytest.mark.parametrize(
    ("limits", "moved", "now", "patience"),
    [
        (SILENT, [], 0, 10),
        (SILENT, [], 4, 6),
        (SILENT, [], 12, -2),
        (SILENT, [(1, 8)], 12, 6),
        (SILENT, [(0, 8)], 12, -2),
        (RATED, [], 0, 5),
        (RATED, [(100, 1)], 2, 3),
        (RATED, [(1000, 1)], 2, 8),
        (RATED, [(1000, 1), (1, 9)], 9, 1.01),
        (RATED, [(10_000, 50)], 55, 5),
    ],
    ids=str,
)
def test_patience(limits: PaceLimits, moved: list[tuple[int, float]], now: float, patience: float) -> None:
    pace = Pace(limits, start=0)
    for count, at in moved:
        pace.note(count, at)
    assert pace.patience(now) == pytest.approx(patience)
