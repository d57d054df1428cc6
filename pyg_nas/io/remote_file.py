"""The address of a large file on the internet, which a space offers and few commands download."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """A file on the internet, with its expected size and checksum.

    Args:
        url: Address of the file.
        size: Size in bytes.
        sha256: Hex digest of the content.
    """

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name: the last part of the URL."""
        return self.url.rsplit("/", 1)[-1]
