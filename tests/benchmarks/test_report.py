"""The page tells all that was measured, and says what was not."""

from benchmarks.peers import nginx, partway
from benchmarks.plan import IDLE, LATENCY, QUICK, WHOLE, merge_name, upload_name
from benchmarks.report import page
from benchmarks.results import Results, Sample
from benchmarks.scenarios.merges import BY_CALLS, MILLISECONDS, TO_FILES
from benchmarks.scenarios.pressure import MEMORY, PERCENTILES
from benchmarks.scenarios.transfers import CLIENT_CPU, CPU, FILE_CPU, RATE, SPEED

MERGED = {MILLISECONDS: 5.0, BY_CALLS: 2048.0, TO_FILES: 4096.0}
UPLOAD = upload_name(1, 8 << 20, with_digest=True)


def told(*samples: Sample) -> list[str]:
    results = Results({"processor": "some"}, samples)
    return page(results, QUICK, rounds=3, picture="plot.svg", note="A note.").splitlines()


def test_it_says_what_the_run_was() -> None:
    lines = told()
    assert lines[0] == "# Performance"
    assert lines[2].endswith("3 rounds, 64 MiB a transfer. A note.")
    assert any("(plot.svg)" in line for line in lines)
    assert "| processor | some |" in lines


def test_an_upload_has_speed_spread_ratio_and_cost() -> None:
    lines = told(
        Sample(UPLOAD, partway.FAST, {SPEED: 2.0, CPU: 0.5, CLIENT_CPU: 0.1}),
        Sample(UPLOAD, partway.FAST, {SPEED: 3.0, CPU: 0.7, CLIENT_CPU: 0.1}),
        Sample(UPLOAD, nginx.NAME, {SPEED: 1.0, CPU: 0.9, CLIENT_CPU: 0.2}),
    )
    assert "### 1 connection, chunks of 8 MiB, SHA-256 of each" in lines
    assert "| Partway | 2.50 | 2.00 to 3.00 | 1.00 x | 0.60 | 0.10 |" in lines
    assert "| nginx | 1.00 | 1.00 to 1.00 | 2.50 x | 0.90 | 0.20 |" in lines


def test_the_other_scenarios_have_their_rows() -> None:
    lines = told(
        Sample(WHOLE, nginx.NAME, {SPEED: 9.0, CPU: 0.1, CLIENT_CPU: 0.1}),
        Sample("small/4", partway.FAST, {RATE: 120.0, FILE_CPU: 2.0}),
        Sample(
            merge_name(4 << 20, flushed=True), partway.FAST, {MILLISECONDS: 5, BY_CALLS: 2048, TO_FILES: 4096}
        ),
        Sample(IDLE, partway.FAST, {MEMORY: 70.0}),
        Sample(LATENCY, partway.FAST, dict(zip(PERCENTILES, (1.0, 5.0, 9.0), strict=True))),
    )
    assert "| nginx | 9.00 | 9.00 to 9.00 | - | 0.10 | 0.10 |" in lines
    assert "| Partway, 4 at a time | 120 | 120 to 120 | 2.00 |" in lines
    assert "| 4 MiB, on disk already | 5.00 | 5.00 to 5.00 | 2.00 | 4.00 |" in lines
    assert "| 64 MiB, on disk already | - | - | - | - |" in lines
    assert "| Partway | 70.0 | - | - | - |" in lines
    assert "| Partway | 1.00 | 5.00 | 9.00 |" in lines
