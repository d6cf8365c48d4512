"""The Python API: two calls that move a whole file, however often the way breaks.

    file = await upload(Path("disk.img"), server="http://127.0.0.1:8000")
    path = await download(file.id, server="http://127.0.0.1:8000")

Both raise a `TransferError` when they give up; the same call again goes on from what is there.
"""

from client_demo.beginnings import Restart
from client_demo.downloads import Overwrite, Verification, download
from client_demo.progress import Progress
from client_demo.rates import RateLimit
from client_demo.resources import PublishedFile
from client_demo.retries import RetryPolicy
from client_demo.state_folder import StateFolder
from client_demo.transfer_errors import TransferError
from client_demo.uploads import upload

__all__ = [
    "Overwrite",
    "Progress",
    "PublishedFile",
    "RateLimit",
    "Restart",
    "RetryPolicy",
    "StateFolder",
    "TransferError",
    "Verification",
    "download",
    "upload",
]
