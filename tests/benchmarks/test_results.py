"""Medians and ratios of what was measured."""

import pytest

from benchmarks.results import Results, Sample, Summary

RESULTS = Results(
    {"processor": "one"},
    [
        Sample("upload", "ours", {"GiB/s": 3.0, "CPU": 0.5}),
        Sample("upload", "theirs", {"GiB/s": 1.0}),
        Sample("upload", "ours", {"GiB/s": 9.0, "CPU": 0.7}),
        Sample("upload", "theirs", {"GiB/s": 2.0}),
        Sample("upload", "ours", {"GiB/s": 4.0, "CPU": 0.6}),
        Sample("upload", "theirs", {"GiB/s": 2.0}),
        Sample("download", "still", {"GiB/s": 0.0}),
    ],
)


def test_a_summary_is_the_median_and_the_extremes_of_all_rounds() -> None:
    assert RESULTS.summary("upload", "ours", "GiB/s") == Summary(4.0, 3.0, 9.0)


@pytest.mark.parametrize(
    ("scenario", "subject", "metric"),
    [
        pytest.param("merge", "ours", "GiB/s", id="scenario"),
        pytest.param("upload", "nobody", "GiB/s", id="subject"),
        pytest.param("upload", "theirs", "CPU", id="metric"),
    ],
)
def test_what_was_not_measured_is_none(scenario: str, subject: str, metric: str) -> None:
    assert RESULTS.summary(scenario, subject, metric) is None
    assert RESULTS.median(scenario, subject, metric) is None
    assert RESULTS.ratio(scenario, metric, subject, "ours") is None
    assert RESULTS.ratio(scenario, metric, "ours", subject) is None


def test_a_ratio_is_of_medians() -> None:
    assert RESULTS.ratio("upload", "GiB/s", "ours", "theirs") == 2.0


def test_there_is_no_ratio_to_nothing() -> None:
    assert RESULTS.ratio("download", "GiB/s", "still", "still") is None


def test_subjects_and_scenarios_stay_in_order() -> None:
    assert RESULTS.subjects("upload") == ["ours", "theirs"]
    assert RESULTS.scenarios("") == ["upload", "download"]
    assert RESULTS.scenarios("down") == ["download"]


def test_results_survive_as_text() -> None:
    assert Results.from_json(RESULTS.to_json()) == RESULTS
