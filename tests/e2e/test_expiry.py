"""Abandoned uploads go, whichever of two workers sweeps first; who still sends bytes keeps his."""

import os
from pathlib import Path

import httpx

from tests.e2e.service import Service, findings, running, stopped
from tests.e2e.uploads import CHUNK_SIZE, Upload, connected, start_upload
from tests.waiting import wait_until

FLAGS = ("--workers", "2", "--upload-ttl", "4s", "--sweep-interval", "0.2s")


def _folder(service: Service, upload: Upload) -> Path:
    return service.data_dir / "uploads" / upload.id


def test_an_abandoned_upload_expires_and_one_that_still_grows_does_not(tmp_path: Path) -> None:
    with running(tmp_path / "data", *FLAGS) as service, connected(service.url) as client:
        growing = start_upload(client, os.urandom(1000 * CHUNK_SIZE))
        abandoned = start_upload(client, os.urandom(4 * CHUNK_SIZE))
        assert abandoned.put(1).status_code == 204
        numbers = iter(growing.numbers)

        def is_gone() -> bool:
            assert growing.put(next(numbers)).status_code == 204
            return not _folder(service, abandoned).exists()

        wait_until(is_gone)

        growing.put_missing()
        assert growing.merge().status_code == 201
        assert growing.published() == growing.content
        for worker in service.workers():
            with stopped(worker), connected(service.url) as to_the_other:
                _assert_expired(abandoned.through(to_the_other))
        assert findings(service.data_dir) == []


def _assert_expired(upload: Upload) -> None:
    answers: list[httpx.Response] = [
        upload.client.get(upload.path),
        upload.client.get(f"{upload.path}/chunks"),
        upload.put(0),
        upload.merge(),
        upload.client.delete(upload.path),
    ]
    for answer in answers:
        assert answer.status_code == 410, answer.text
        assert answer.json()["type"] == "urn:partway:upload-expired"
    assert upload.client.get("/uploads").json()["items"] == []
