"""The modules that need no page, under Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_modules_keep_their_promises_in_node(name: str) -> None:
    node = shutil.which("node")
    assert node is not None, "scripts/packages installs nodejs"
    done = subprocess.run(
        [node, "--test", str(HERE / name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
