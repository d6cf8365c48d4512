"""Where the programs are that a run starts, as `scripts/bench` has put them there."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]


class ToolMissing(Exception):
    """A program is not there; `scripts/bench` installs it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of programs."""

    partway: Path
    nginx: str
    tus_node: Path
    uvicorn: Path

    @classmethod
    def find(cls) -> "Tools":
        """Look for them. Raises `ToolMissing`."""
        tools = cls(
            partway=_ROOT / ".venv" / "bin" / "partway",
            nginx=shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin") or "nginx",
            tus_node=_ROOT / "build" / "bench-tools" / "tus-node" / "app.mjs",
            uvicorn=Path(sys.executable).parent / "uvicorn",
        )
        for path in (tools.partway, Path(tools.nginx), tools.tus_node, tools.uvicorn):
            if not path.exists():
                raise ToolMissing(f"{path.name} is missing; run scripts/bench")
        return tools

    @property
    def tus_server_version(self) -> str:
        """Of the installed @tus/server."""
        package = self.tus_node.parent / "node_modules" / "@tus" / "server" / "package.json"
        found: str = json.loads(package.read_text())["version"]
        return found
