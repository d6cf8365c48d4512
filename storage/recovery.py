"""What a killed process or a power cut left behind is put right before new work begins.

Only what nobody else can be at is touched: if another process uses the store, it has recovered already.
"""

import logging
from dataclasses import asdict, dataclass

from storage.engine import Engine
from storage.errors import InsufficientStorage, NoSuchUpload
from storage.model import Upload

_log = logging.getLogger("partway.storage")


@dataclass(slots=True)
class Recovered:
    """How many of each were put right."""

    merges_finished: int = 0
    folders_mended: int = 0
    orphans_removed: int = 0
    deletions_finished: int = 0

    def __str__(self) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')}: {count}" for name, count in asdict(self).items() if count
        )


def recover(engine: Engine) -> Recovered | None:
    """Put the store and the catalog right; None if another process has them open.

    Merges cut off after the file was published are finished; others are undone by leaving the upload open.
    Open uploads get back what a power cut took of their folders, and ask for the bytes again. Folders of
    uploads that are merged, expired or unknown go. Deletions that were cut off are finished.
    """
    with engine.blobs.alone() as alone:
        if not alone:
            return None
        done = Recovered()
        for file_id in engine.catalog.retired_files():
            engine.finish_deletion(file_id)
            done.deletions_finished += 1
        open_ids = set()
        for upload in engine.catalog.open_uploads():
            open_ids.add(upload.id)
            _recover_upload(engine, upload, done)
        _remove_orphans(engine, open_ids, done)
    if done != Recovered():
        _log.info("put right after a stop in the middle of work: %s", done)
    return done


def _recover_upload(engine: Engine, upload: Upload, done: Recovered) -> None:
    try:
        if engine.blobs.has_file(upload.id):
            engine.merger.finish(upload)
            # A power cut may have left a folder without its journal, which nobody could hold and discard.
            engine.blobs.remove_remains(upload.id)
            done.merges_finished += 1
        elif engine.blobs.prepare(upload.id, upload.size):
            done.folders_mended += 1
    except InsufficientStorage:
        # Its owner learns of it with the next chunk; the other uploads are not to wait for that.
        _log.warning("no room to mend the folder of upload %s", upload.id)
    except NoSuchUpload:
        _log.warning("upload %s went away while it was recovered", upload.id)


def _remove_orphans(engine: Engine, open_ids: set[str], done: Recovered) -> None:
    for upload_id in engine.blobs.uploads():
        if upload_id not in open_ids:
            engine.blobs.remove_remains(upload_id)
            done.orphans_removed += 1
