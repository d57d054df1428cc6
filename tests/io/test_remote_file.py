"""The address of a file on the internet."""

from __future__ import annotations

from pyg_nas.io.remote_file import RemoteFile


def test_a_file_has_the_last_name_of_its_address() -> None:
    assert RemoteFile("https://host/a/b.tfrecord", 10, "0" * 64).name == "b.tfrecord"
