"""The official list of architectures."""

from __future__ import annotations

import h5py

from pyg_nas.spaces.nasbench201 import official_codes, official_texts
from tests.conftest import shared_file


def test_the_order_is_the_official_one() -> None:
    texts = official_texts()
    assert len(texts) == len(set(texts)) == 15_625
    # The released code asserts that its list starts with this one.
    assert texts[0] == (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
        "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert sorted(official_codes().tolist()) == list(range(15_625))


def test_the_order_is_that_of_the_published_files() -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        assert list(official_texts()) == file["arch_str"][:].astype(str).tolist()
