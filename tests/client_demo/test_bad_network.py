"""Every transfer through a bad network ends with the right hash."""

from pathlib import Path

import pytest

from tests.client_demo.conftest import Client, random_file, sha256
from tests.client_demo.flaky_proxy import Direction, Ending, FlakyProxy, Shape

MIB = 1 << 20
QUICK = ("--retry-delay", "0.02")


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        pytest.param(Shape(delay=0.01), MIB, id="delayed"),
        pytest.param(Shape(slice_size=700), MIB, id="sliced"),
        pytest.param(Shape(slice_size=1), 4_000, id="byte-by-byte"),
        pytest.param(Shape(rate=4 * MIB), 3 * MIB, id="limited"),
    ],
)
def test_a_slow_way_brings_all_there_and_back(
    proxy: FlakyProxy, client: Client, tmp_path: Path, shape: Shape, size: int
) -> None:
    proxy.shape = shape
    _there_and_back(proxy, client, random_file(tmp_path / "source.bin", size))


@pytest.mark.parametrize("ending", Ending, ids=lambda ending: ending.name.lower())
@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name.lower())
def test_a_way_that_is_cut_in_slices_brings_all_there_and_back(
    proxy: FlakyProxy, client: Client, tmp_path: Path, ending: Ending, direction: Direction
) -> None:
    proxy.shape = Shape(slice_size=5000)
    most = 500_000 if direction is Direction.UP else 1500
    proxy.cut(15, least=1, most=most, seed=7, direction=direction, ending=ending)

    _there_and_back(proxy, client, random_file(tmp_path / "source.bin", 5 * MIB))

    assert proxy.cuts > 0


def _there_and_back(proxy: FlakyProxy, client: Client, source: Path) -> None:
    put = client.run("put", source, "--server", proxy.url, "--chunk-size", "256KiB", "--verify", *QUICK)
    assert put.returncode == 0, put.stderr

    got = client.run("get", put.stdout.strip(), "--verify", *QUICK)

    assert got.returncode == 0, got.stderr
    assert sha256(client.folder / "source.bin") == sha256(source)
    assert [path.name for path in client.folder.iterdir()] == ["source.bin"]
