"""What the README says can be pasted into a shell, and does what it says."""

import os
import re
from pathlib import Path

import pytest

from tests.e2e.commands import run
from tests.e2e.service import Service

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"
HEADING = "Upload and download with curl alone"
_BLOCK = re.compile(rf"^## {HEADING}\n.*?^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHA256 = re.compile(r"^([0-9a-f]{64}) [ *](.+)$", re.MULTILINE)


def _transcript() -> str:
    found = _BLOCK.search((ROOT / "README.md").read_text())
    assert found, HEADING
    return found[1]


def test_the_curl_transcript_ends_with_the_same_hash_twice(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "person"
    folder.mkdir()
    assert ADDRESS in _transcript()
    ran = run("bash", "-euo", "pipefail", "-c", _transcript().replace(ADDRESS, service.url), cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    (sent, sent_name), (received, received_name) = _SHA256.findall(ran.stdout)[-2:]
    assert sent_name != received_name
    assert sent == received


@pytest.mark.parametrize("script", ["scripts/serve", "scripts/test"])
def test_its_two_commands_are_there(script: str) -> None:
    assert script in (ROOT / "README.md").read_text()
    assert os.access(ROOT / script, os.X_OK)
