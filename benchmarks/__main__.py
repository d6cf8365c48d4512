"""The command: start all servers, measure them in interleaved rounds, write the page and the picture."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import facts
from benchmarks.peers.base import Subject
from benchmarks.peers.limit import limit
from benchmarks.peers.nginx import nginx
from benchmarks.peers.partway import partway
from benchmarks.peers.starlette_files import starlette_files
from benchmarks.peers.tus import tus_node, tus_python
from benchmarks.plan import (
    BUSY_MEMORY,
    IDLE_MEMORY,
    MIB,
    QUICK,
    Scenario,
    Sizes,
    is_wanted,
    measure,
    pressure,
    transfers,
)
from benchmarks.plot import draw
from benchmarks.report import page, verdicts
from benchmarks.results import Results, Sample
from benchmarks.source import Source, source_file
from benchmarks.tables import number
from benchmarks.tools import Tools

_ROOT = Path(__file__).parents[1]
_QUICK_NOTE = "**A quick run: it shows that the benchmark works, and no more.**"


def main() -> None:
    """Run it."""
    # Told to stop, leave by way of every `finally`: servers end, files go.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    wishes = _arguments()
    sizes = QUICK if wishes.quick else replace(Sizes(), upload=wishes.size * MIB)
    rounds: int = 1 if wishes.quick else wishes.rounds
    wishes.folder.mkdir(parents=True, exist_ok=True)
    _check_space(wishes.folder, sizes)
    with tempfile.TemporaryDirectory(dir=wishes.folder, prefix="run-") as folder:
        results = _measure(Path(folder), sizes, rounds, only=wishes.only)
    output = _ROOT / "build" / "bench-quick" if wishes.quick or wishes.only else _ROOT / "docs"
    _write(results, sizes, rounds, output, note=_QUICK_NOTE if wishes.quick else "")
    _say(verdicts(results, sizes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/bench", description="Measure Partway beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a small run, written to build/bench-quick")
    parser.add_argument("--rounds", type=int, default=7, help="how often each scenario is run (7)")
    parser.add_argument("--size", type=int, default=512, help="MiB of a transfer, a multiple of 32 (512)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PREFIX",
        help="only scenarios whose names begin so, such as upload/4x8; may be repeated",
    )
    default = _ROOT / "build" / "bench"
    parser.add_argument("--folder", type=Path, default=default, help="where the servers write; on a disk")
    wishes = parser.parse_args()
    if wishes.size % 32 or wishes.size <= 0 or wishes.rounds <= 0:
        parser.error("--size must be a multiple of 32 MiB, and --rounds at least 1")
    wishes.folder = wishes.folder.absolute()
    return wishes


def _check_space(folder: Path, sizes: Sizes) -> None:
    free = shutil.disk_usage(folder).free
    if free < 2 * sizes.disk:
        sys.exit(f"{number(2 * sizes.disk / 2**30)} GiB of free disk space are needed in {folder}")


def _measure(
    folder: Path,
    sizes: Sizes,
    rounds: int,
    *,
    only: Sequence[str],
) -> Results:
    def run(scenarios: Iterable[Scenario], times: int) -> None:
        wanted = [scenario for scenario in scenarios if is_wanted(scenario, only)]
        samples.extend(measure(wanted, subjects, times, tell=_tell))

    tools = Tools.find()
    told = facts(tools, folder)
    samples: list[Sample] = []
    with source_file(folder / "source", sizes.upload) as source, _subjects(tools, folder, source) as subjects:
        run([IDLE_MEMORY], 1)
        run(transfers(sizes, source), rounds)
        run([BUSY_MEMORY], 1)
        run(pressure(sizes, source), rounds)
    return Results(told, samples)


@contextmanager
def _subjects(tools: Tools, folder: Path, source: Source) -> Iterator[Sequence[Subject]]:
    """All servers, running; Partway comes first."""
    servers = (
        partway(tools.partway, folder / "partway", source, transport="fast"),
        partway(tools.partway, folder / "partway-portable", source, transport="portable"),
        nginx(tools.nginx, folder / "nginx", source),
        tus_node(tools.tus_node, folder / "tus-node"),
        tus_python(tools.uvicorn, folder / "tus-python"),
        starlette_files(tools.uvicorn, folder / "starlette", source),
        limit(folder / "limit", with_digest=False),
        limit(folder / "limit-sha256", with_digest=True),
    )
    with ExitStack() as stack:
        yield [stack.enter_context(server) for server in servers]


def _write(results: Results, sizes: Sizes, rounds: int, output: Path, *, note: str) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (_ROOT / "build" / "bench-results.json").write_text(results.to_json())
    draw(results, sizes, output / "performance.svg")
    remarks = (_ROOT / "benchmarks" / "remarks.md").read_text()
    text = page(
        results, sizes, rounds=rounds, picture="performance.svg", remarks="" if note else remarks, note=note
    )
    (output / "performance.md").write_text(text)
    _say(f"\nwritten: {output / 'performance.md'}\n")


def _tell(sample: Sample) -> None:
    metrics = ", ".join(f"{number(value)} {name}" for name, value in sample.metrics.items())
    _say(f"{sample.scenario:24} {sample.subject:36} {metrics}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
