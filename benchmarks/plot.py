"""The picture of a run, as SVG. The only module that needs matplotlib."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from benchmarks.peers import partway
from benchmarks.plan import RANGES, WHOLE, Sizes, merge_name, upload_name
from benchmarks.results import Results
from benchmarks.scenarios.merges import MILLISECONDS
from benchmarks.scenarios.transfers import SPEED
from benchmarks.tables import number

_OURS, _PORTABLE, _PEER, _LIMIT = "#1f6f8b", "#8fb7c5", "#b8bec4", "#e4d9c4"
_MIB = 1 << 20


def draw(results: Results, sizes: Sizes, path: Path) -> None:
    """Write the picture: uploads, downloads, and what a merge takes."""
    # The same results give the same file: no random ids, no date; text stays text.
    mpl.rcParams.update({"svg.hashsalt": "partway", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(10, 9), layout="constrained")
    axes = figure.subplots(3, 2)
    big = sizes.chunks[-1]
    chunks = f"{big // _MIB} MiB chunks, 4 connections"
    _bars(axes[0][0], results, upload_name(4, big, with_digest=False), f"Upload\n{chunks}")
    _bars(axes[0][1], results, upload_name(4, big, with_digest=True), f"Upload with SHA-256\n{chunks}")
    _bars(axes[1][0], results, WHOLE, "Download\nwhole, 1 connection")
    _bars(axes[1][1], results, RANGES, f"Download\n{big // _MIB} MiB ranges, 4 connections")
    one = f"Upload\n{big // _MIB} MiB chunks, 1 connection"
    _bars(axes[2][0], results, upload_name(1, big, with_digest=False), one)
    _merge_times(axes[2][1], results, sizes)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _bars(axes: Axes, results: Results, scenario: str, title: str) -> None:
    subjects = results.subjects(scenario)[::-1]
    names = [subject.replace(", ", ",\n").replace(": ", ":\n") for subject in subjects]
    speeds = [results.median(scenario, subject, SPEED) or 0 for subject in subjects]
    bars = axes.barh(names, speeds, color=[_colour(subject) for subject in subjects])
    axes.bar_label(bars, [number(speed) for speed in speeds], padding=3)
    axes.set_title(title, loc="left")
    axes.set_xlabel("GiB/s")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def _colour(subject: str) -> str:
    if subject.startswith("limit"):
        return _LIMIT
    return {partway.FAST: _OURS, partway.PORTABLE: _PORTABLE}.get(subject, _PEER)


def _merge_times(axes: Axes, results: Results, sizes: Sizes) -> None:
    for flushed, label, colour in ((True, "on disk already", _OURS), (False, "just received", _PEER)):
        names = [merge_name(count, flushed=flushed) for count in sizes.merges]
        taken = [results.median(name, partway.FAST, MILLISECONDS) or 0 for name in names]
        axes.plot([count / _MIB for count in sizes.merges], taken, marker="o", label=label, color=colour)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_title("Merge\nfrom request to answer", loc="left")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("size of the file, MiB")
    axes.set_ylabel("ms")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
