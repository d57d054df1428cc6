"""The markers skip what cannot run here, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pyg_nas.testing import needs_cuda, needs_package


def new_test() -> Callable[[], None]:
    def test() -> None:
        pass

    return test


def test_cuda_is_a_mark_and_a_condition() -> None:
    marks = {mark.name: mark for mark in needs_cuda(new_test()).pytestmark}  # type: ignore[attr-defined]
    assert set(marks) == {"cuda", "skipif"}
    assert marks["skipif"].args == (not torch.cuda.is_available(),)


def test_a_missing_package_is_named() -> None:
    (mark,) = needs_package("numpy", "no_package_has_this_name")(new_test()).pytestmark  # type: ignore[attr-defined]
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "not installed: no_package_has_this_name"
    (mark,) = needs_package("numpy")(new_test()).pytestmark  # type: ignore[attr-defined]
    assert mark.args == (False,)
