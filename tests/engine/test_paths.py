"""Compiled kernels compute what they were written for, and torch everything else."""

from __future__ import annotations

import pytest
import torch

from pyg_nas.engine.paths import use_compiled


def test_another_activation_or_device_is_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYG_NAS_ENGINE", raising=False)
    cpu = torch.device("cpu")
    assert use_compiled(cpu, [torch.relu, torch.relu])
    assert not use_compiled(cpu, [torch.relu, torch.tanh])
    assert not use_compiled(torch.device("cuda"), [torch.relu])


def test_the_environment_switches_compiled_code_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYG_NAS_ENGINE", "torch")
    assert not use_compiled(torch.device("cpu"), [torch.relu])
