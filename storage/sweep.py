"""Expiry: uploads without a byte for their time to live go, and so do folders nobody knows any more.

Any number of processes may sweep at once: the catalog lets one of them expire an upload, the others pass on.
"""

import logging
from datetime import timedelta

from storage.blobs.base import HeldUpload
from storage.engine import Engine
from storage.errors import NoSuchBlob, StorageError, UploadLocked
from storage.model import UploadStatus

ORPHAN_AGE = timedelta(hours=1)
"""A folder younger than this may belong to an upload that is just being created."""

REMEMBER_EXPIRED = timedelta(days=30)
"""For so long after its creation an expired upload is answered 'expired', and 'unknown' later."""

_log = logging.getLogger("partway.storage")


def sweep(engine: Engine) -> int:
    """Expire what is abandoned; returns how many uploads that were."""
    expired = 0
    for upload in engine.catalog.open_uploads():
        try:
            expired += engine.expire(upload)
        except (NoSuchBlob, UploadLocked):
            continue
        except StorageError:
            _log.exception("cannot expire upload %s", upload.id)
    _sweep_orphans(engine)
    engine.catalog.purge_expired(engine.now() - engine.limits.upload_ttl - REMEMBER_EXPIRED)
    if expired:
        _log.info("expired %d abandoned uploads", expired)
    return expired


def _sweep_orphans(engine: Engine) -> None:
    known = {upload.id for upload in engine.catalog.open_uploads()}
    for upload_id in engine.blobs.uploads():
        if upload_id in known:
            continue
        try:
            with engine.blobs.hold(upload_id, 0) as held:
                if _is_orphan(engine, upload_id, held):
                    held.discard()
        except (NoSuchBlob, UploadLocked):
            continue


def _is_orphan(engine: Engine, upload_id: str, held: HeldUpload) -> bool:
    """Whether nobody wants the folder; its upload may have been created after we looked."""
    upload = engine.catalog.find_upload(upload_id)
    if upload is None:
        return engine.now() > held.arrived().last_activity + ORPHAN_AGE
    return upload.status is not UploadStatus.OPEN
