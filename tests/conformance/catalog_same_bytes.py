"""Of the catalog suite: files that are known by their tree digest."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from storage.catalog.base import Catalog, PageRequest
from storage.model import File, Upload
from tests.conformance.catalog import NOON, an_upload, file_of

TREE_DIGEST, OTHER = b"t" * 32, b"o" * 32


def add_known(
    catalog: Catalog,
    *,
    owner: str = "ann",
    at: datetime = NOON,
    tree_digest: bytes | None = TREE_DIGEST,
    sha256: bytes | None = None,
    size: int = 1 << 40,
) -> File:
    """A file with a tree digest, of an upload like `an_upload`."""
    upload = catalog.add_upload(an_upload(owner=owner, at=at))
    file = catalog.publish(replace(file_of(upload), tree_digest=tree_digest, sha256=sha256, size=size))
    assert file is not None
    return file


def asking(**facts: object) -> Upload:
    """An upload of Ann's that wants to know, different in these facts from the one that was published."""
    return replace(an_upload(), **facts)  # type: ignore[arg-type]  # the names are those of an upload


class SameBytesSuite:
    """`find_same_bytes`, and the two filters of `list_files`."""

    def test_a_tree_digest_comes_back(self, catalog: Catalog) -> None:
        file = add_known(catalog)
        assert file.tree_digest == TREE_DIGEST
        assert catalog.find_file(file.id) == file
        assert catalog.find_same_bytes(asking(), TREE_DIGEST) == file

    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param({"owner": "bob"}, id="another owner"),
            pytest.param({"size": 5}, id="another size"),
            pytest.param({"size": None}, id="no size"),
            pytest.param({"chunk_size": 5}, id="another chunk size"),
        ],
    )
    def test_what_is_not_the_same(self, catalog: Catalog, facts: dict[str, object]) -> None:
        add_known(catalog)
        assert catalog.find_same_bytes(asking(**facts), TREE_DIGEST) is None

    def test_another_tree_digest_is_not_the_same(self, catalog: Catalog) -> None:
        add_known(catalog)
        add_known(catalog, tree_digest=None)
        assert catalog.find_same_bytes(asking(), OTHER) is None

    def test_a_retired_file_is_not_found(self, catalog: Catalog) -> None:
        older, newer = add_known(catalog), add_known(catalog, at=NOON + timedelta(1))
        for file, left in ((newer, older), (older, None)):
            assert catalog.find_same_bytes(asking(), TREE_DIGEST) == file
            catalog.retire_file(file.id)
            assert catalog.find_same_bytes(asking(), TREE_DIGEST) == left

    def test_one_whose_sha256_is_known_comes_before_a_newer_one(self, catalog: Catalog) -> None:
        known = add_known(catalog, sha256=b"s" * 32)
        add_known(catalog, at=NOON + timedelta(1))
        assert catalog.find_same_bytes(asking(), TREE_DIGEST) == known

    def test_an_open_upload_is_no_file(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(an_upload())
        assert catalog.find_same_bytes(upload, TREE_DIGEST) is None

    def test_files_are_found_by_tree_digest_and_size(self, catalog: Catalog) -> None:
        page = PageRequest("ann", 9)
        unknown, known = add_known(catalog, tree_digest=None), add_known(catalog, at=NOON + timedelta(1))
        small = add_known(catalog, tree_digest=OTHER, size=0)
        add_known(catalog, owner="bob")
        assert catalog.list_files(page, tree_digest=TREE_DIGEST).items == (known,)
        assert catalog.list_files(page, size=1 << 40).items == (known, unknown)
        assert catalog.list_files(page, tree_digest=OTHER, size=0).items == (small,)
        assert catalog.list_files(page, tree_digest=OTHER, size=1).items == ()
        assert catalog.list_files(page, "no such name", tree_digest=TREE_DIGEST).items == ()
