"""What every blob store must do: the sentences of `storage.blobs.base`, one test each."""

from tests.conformance.blob_ending import EndingSuite
from tests.conformance.blob_sharing import SharingSuite
from tests.conformance.blob_writing import WritingSuite


class BlobStoreSuite(WritingSuite, EndingSuite, SharingSuite):
    """Derive from it, name the class `Test…`, and say how the store is opened, and opened again."""
