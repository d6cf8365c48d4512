"""The page that tells what a run has shown, in Markdown. Pure: results in, text out."""

from collections.abc import Iterator

from benchmarks.peers import partway
from benchmarks.plan import BUSY, CROWD, IDLE, LATENCY, RANGES, SMALL, WHOLE, Sizes, merge_name
from benchmarks.results import Results, Summary
from benchmarks.scenarios.merges import BY_CALLS, MILLISECONDS, TO_FILES
from benchmarks.scenarios.pressure import HALFWAY, MEMORY, PEAK, PERCENTILES
from benchmarks.scenarios.transfers import CLIENT_CPU, CPU, FILE_CPU, RATE, SPEED
from benchmarks.tables import number, size, table, times
from benchmarks.targets import targets

_INTRODUCTION = """# Performance

Made by `scripts/bench`: the numbers are from one run on one machine. {sizes}

![Partway beside its peers]({picture})

## How it was measured

- Client and servers share the machine. The client sends with `sendfile` and drops what it receives with
  `MSG_TRUNC`, so that it costs next to nothing; its part is in the tables.
- Every server has one worker process. Partway is run as users run it: `partway serve --no-access-log`.
- Rounds are interleaved: each takes every scenario with every server once, beginning with another server.
  The tables give medians, and the lowest and highest round. A ratio is Partway's median over the other's.
- Uploads go to new files, on a disk and not in a tmpfs, and count without a flush: what has been received is
  in the page cache then, for all alike. (Partway begins to flush in the background; the others leave that to
  the kernel.) Its merge, which does flush, is measured apart. Downloads come from a warm page cache.
- Not all do the same: nginx stores each chunk as a file of its own and never joins them. A tus upload is a
  row of PATCHes, so that four connections make four uploads. Only Partway records, chunk by chunk, what has
  arrived, and only its merge flushes.
- Each upload is made twice, and the second one counts. A virtual machine may give free memory back to its
  host, and touching it again costs many times what writing a file does. What is left of that shows in the
  lowest and highest round: look at them before you believe a median.
- The limit is a blocking loop of `recv_into` and `pwrite` in a thread for each connection, with a buffer of
  1 MiB; it checks and records nothing.
"""


def page(
    results: Results, sizes: Sizes, *, rounds: int, picture: str, remarks: str = "", note: str = ""
) -> str:
    """The whole page; `picture` is the plot beside it, `note` stands at the top and `remarks` at the end."""
    told = f"{rounds} round{'' if rounds == 1 else 's'}, {size(sizes.upload)} a transfer."
    sections = (
        _INTRODUCTION.format(sizes=f"{told} {note}".strip(), picture=picture),
        _facts(results),
        _targets(results, sizes),
        _uploads(results),
        _downloads(results, sizes),
        _merges(results, sizes),
        _small(results, sizes),
        _memory(results, sizes),
        _latency(results, sizes),
        remarks,
    )
    return "\n".join(sections)


def verdicts(results: Results, sizes: Sizes) -> str:
    """The targets as a table."""
    rows = (
        [
            target.claim,
            f"{target.side.value} {number(target.bound)} {target.unit}",
            number(target.measured),
            target.verdict,
        ]
        for target in targets(results, sizes)
    )
    return table(["target", "wanted", "measured", "verdict"], rows)


def _facts(results: Results) -> str:
    return table(["", "this run"], [[name, value] for name, value in results.facts.items()])


def _targets(results: Results, sizes: Sizes) -> str:
    return f"## Targets\n\n{verdicts(results, sizes)}"


def _speeds(results: Results, scenario: str) -> str:
    rows = (
        [
            subject,
            *_spread(results.summary(scenario, subject, SPEED)),
            times(results.ratio(scenario, SPEED, partway.FAST, subject)),
            number(results.median(scenario, subject, CPU)),
            number(results.median(scenario, subject, CLIENT_CPU)),
        ]
        for subject in results.subjects(scenario)
    )
    head = ["server", SPEED, "lowest to highest", "Partway is", CPU, CLIENT_CPU]
    return table(head, rows)


def _spread(summary: Summary | None) -> tuple[str, str]:
    if summary is None:
        return "-", "-"
    return number(summary.median), f"{number(summary.low)} to {number(summary.high)}"


def _uploads(results: Results) -> str:
    return "\n".join(["## Uploads\n", *(_upload(results, name) for name in results.scenarios("upload/"))])


def _upload(results: Results, scenario: str) -> str:
    _, shape, *digest = scenario.split("/")
    connections, _, chunk = shape.partition("x")
    plural = "" if connections == "1" else "s"
    title = f"{connections} connection{plural}, chunks of {chunk.replace('MiB', ' MiB')}"
    return f"### {title}{', SHA-256 of each' if digest else ''}\n\n{_speeds(results, scenario)}"


def _downloads(results: Results, sizes: Sizes) -> str:
    ranges = f"### Ranges of {size(sizes.chunks[-1])}, 4 connections"
    return (
        f"## Downloads\n\n### Whole, 1 connection\n\n{_speeds(results, WHOLE)}"
        f"\n{ranges}\n\n{_speeds(results, RANGES)}"
    )


def _merges(results: Results, sizes: Sizes) -> str:
    rows = [row for flushed in (True, False) for row in _merge_rows(results, sizes, flushed=flushed)]
    head = ["merge", "ms", "lowest to highest", "KiB by write calls", "KiB made dirty"]
    text = "From the request to its answer. What the server writes meanwhile is the kernel's own count."
    return f"## Merge\n\n{text}\n\n{table(head, rows)}"


def _merge_rows(results: Results, sizes: Sizes, *, flushed: bool) -> Iterator[list[str]]:
    for count in sizes.merges:
        name = merge_name(count, flushed=flushed)
        kib = [results.median(name, partway.FAST, metric) for metric in (BY_CALLS, TO_FILES)]
        yield [
            f"{size(count)}, {'on disk already' if flushed else 'just received: it is flushed first'}",
            *_spread(results.summary(name, partway.FAST, MILLISECONDS)),
            *(number(None if value is None else value / 1024) for value in kib),
        ]


def _small(results: Results, sizes: Sizes) -> str:
    rows = [
        [
            f"{subject}, {scenario.rpartition('/')[2]} at a time",
            *_spread(results.summary(scenario, subject, RATE)),
            number(results.median(scenario, subject, FILE_CPU)),
        ]
        for scenario in results.scenarios(f"{SMALL}/")
        for subject in results.subjects(scenario)
    ]
    text = (
        f"Files of {size(sizes.small)}: create, one chunk and merge for Partway, POST and PATCH for tus, "
        "one PUT for nginx and the limit. Partway's is on disk when it is answered; the others flush nothing."
    )
    head = ["server", RATE, "lowest to highest", FILE_CPU]
    return f"## Small files\n\n{text}\n\n{table(head, rows)}"


def _memory(results: Results, sizes: Sizes) -> str:
    rows = [
        [
            subject,
            number(results.median(IDLE, subject, MEMORY)),
            number(results.median(BUSY, subject, MEMORY)),
            number(results.median(CROWD, subject, HALFWAY)),
            number(results.median(CROWD, subject, PEAK)),
        ]
        for subject in results.subjects(IDLE)
    ]
    crowd = f"{sizes.crowd} uploads and {sizes.crowd} downloads"
    text = (
        f"Resident memory of all processes of a server, in MiB; the last two columns with {crowd} under way."
    )
    head = ["server", "idle", "most in the scenarios above", "crowd, all halfway", "crowd, most"]
    return f"## Memory\n\n{text}\n\n{table(head, rows)}"


def _latency(results: Results, sizes: Sizes) -> str:
    rows = [
        [subject, *(number(results.median(LATENCY, subject, metric)) for metric in PERCENTILES)]
        for subject in results.subjects(LATENCY)
    ]
    text = (
        "`GET /healthz` over one connection, 5 ms after the answer to the one before, while four uploads and "
        "four downloads take all they can get."
    )
    head = ["server", *PERCENTILES]
    return f"## Latency under load\n\n{text}\n\n{table(head, rows)}"
