from __future__ import annotations

import logging
import sys
import types
from functools import partial
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import Compose

from pyg_nas.data.datasets.transform_digest import describe
from tests.data.datasets.test_dataset import Scale, _keep, _shift


class _Slots:
    __slots__ = ("__hidden", "shown")

    def __init__(self, shown: int, hidden: int) -> None:
        self.shown, self.__hidden = shown, hidden


def _transform(call: object) -> object:
    """An object whose class inherits ``call``."""
    return type("Child", (type("Parent", (), {"__call__": call}),), {})()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda graph: graph.num_nodes > 5, lambda graph: graph.num_nodes > 4),
        (Scale(1.0), Scale(2.0)),
        (partial(_shift, by=1.0), partial(_shift, by=2.0)),
        (Compose([Scale(1.0)]), Compose([Scale(3.0)])),
        (Scale(torch.zeros(2)), Scale(torch.ones(2))),
        (Scale(torch.eye(2)), Scale(torch.eye(2).to_sparse())),
        (Scale(torch.eye(2).to_sparse()), Scale(2 * torch.eye(2).to_sparse())),
        (Scale(torch.ones(2).bfloat16()), Scale(torch.zeros(2).bfloat16())),
        (None, Scale(1.0)),
        (Scale(1.0).__call__, Scale(2.0).__call__),
        (_Slots(1, 3), _Slots(2, 3)),
        (_Slots(1, 3), _Slots(1, 4)),
        (_transform(lambda self, graph: graph), _transform(lambda self, graph: None)),
        (_transform(staticmethod(lambda g: g)), _transform(staticmethod(lambda g: None))),
    ],
)
def test_transforms_that_differ_have_different_texts(one: object, other: object) -> None:
    assert describe(one) != describe(other)
    assert describe(one) == describe(one)


def test_transform_text_follows_closures_and_not_addresses() -> None:
    def above(limit: float):  # type: ignore[no-untyped-def]
        return lambda graph: graph.y.item() > limit

    assert describe(above(0.9)) == describe(above(0.9))
    assert describe(above(0.9)) != describe(above(0.8))
    assert describe(Scale(2.0)) == describe(Scale(2.0))
    selfish = Scale(1.0)
    selfish.me = selfish  # type: ignore[attr-defined]
    assert "0x" not in describe(selfish)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("THR = 0.91\nkeep = lambda d: d.y.item() > THR", "0.91", "0.94"),
        ("THR = 0.91\nkeep = lambda d: all(y > THR for y in d.y)", "0.91", "0.94"),
        ("def helper(d): return d.y > 1\ndef keep(d): return helper(d)", "1", "2"),
        ("T = [1]\ndef helper(d): return d.y > T[0]\ndef keep(d): return helper(d)", "1", "2"),
        ("class A:\n def go(self, d): return d.y > 1\ndef keep(d): return A().go(d)", "1", "2"),
        ("class A:\n t = 1\n def __call__(self, d): return d.y > self.t\nkeep = A()", "1", "2"),
        ("class A:\n t = 1\ndef keep(d): return d.y > A.t", "1", "2"),
        ("class A:\n @property\n def t(self): return 1\nkeep = A()", "1", "2"),
        ("import functools\n@functools.cache\ndef f(d): return 1\ndef keep(d): f(d)", "1", "2"),
        ("from math import sin as f\ndef keep(d): return f(d.y)", "sin", "cos"),
        ("from shutil import copy as f\ndef keep(d): return f(d.y)", "copy", "move"),
        ("import math as m\ndef keep(d): return m.floor(d.y)", "math", "numpy"),
        ("import enum\nclass E(enum.Enum): A=1; B=3; C=4\ndef keep(d): return E.A", "1", "2"),
        ("def keep(d): return 1 if d.y else other(d)\ndef other(d): keep(d)", "1", "2"),
        ("def keep(d): return other(d)\ndef other(d): return 1 if d.y else keep(d)", "1", "2"),
        ("def keep(d): return 1 if d.y else keep(d)", "1", "2"),
    ],
)
def test_what_code_takes_from_its_module_counts(module: str, old: str, new: str) -> None:
    text = describe(_keep(module))
    assert text == describe(_keep(module))
    assert text != describe(_keep(module.replace(old, new)))
    assert "0x" not in text


def test_helpers_from_another_own_module_count(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for limit in ("1", "1", "2"):
        module = types.ModuleType("own_helpers")
        exec(f"def helper(d): return d.y > {limit}", vars(module))
        monkeypatch.setitem(sys.modules, "own_helpers", module)
        texts.append(describe(_keep("from own_helpers import helper\nkeep = lambda d: helper(d)")))
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("statement", ["import own_absent", "from own_absent import part"])
def test_nothing_is_imported(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_absent.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    describe(_keep(f"def keep(d):\n {statement}\n return d.y"))
    assert "own_absent" not in sys.modules


def test_what_code_does_not_refer_to_does_not_count() -> None:
    module = "import logging\nlog = logging.getLogger('a')\nY = 1\ndef keep(d): return log\n"
    text = describe(_keep(module))
    logging.getLogger("a").setLevel(30)
    assert text == describe(_keep(module.replace("1", "2")))


def test_a_closure_whose_variable_is_not_bound_yet() -> None:
    def keep(graph: Data) -> bool:
        return bool(graph.y > limit)

    before = describe(keep)
    limit = 0.9
    assert describe(keep) != before
