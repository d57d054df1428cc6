"""Checksums and frames of TFRecord files."""

from __future__ import annotations

import struct

from pyg_nas.spaces.nasbench101.tfrecord_framing import frame, masked_crc
from tests.spaces.nasbench101 import tfrecord_bytes as tfb


def test_checksum_has_the_published_check_value() -> None:
    assert tfb.crc32c(b"123456789") == 0xE3069283
    assert struct.pack("<I", masked_crc(b"123456789")) == tfb.masked(b"123456789")


def test_frame_equals_hand_made_bytes() -> None:
    assert frame(b"some payload") == tfb.record(b"some payload")
