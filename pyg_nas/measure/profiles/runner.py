"""Networks that are ready to run on a device: modules by PyTorch, ONNX files by ONNX Runtime."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from pyg_nas.compute.exported import check_onnx
from pyg_nas.compute.generators import seeded_generator
from pyg_nas.data.networks.sources import arguments
from pyg_nas.errors import MeasureError, NetworkError, one_line
from pyg_nas.io.limits import MOST_ONNX_BYTES
from pyg_nas.io.regular_files import read_regular
from pyg_nas.spaces.modules.evaluation_mode import evaluate, replace_meta_attributes

_NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class Runner(ABC):
    """A network with its inputs on a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def run(self) -> None:
        """Run one forward pass, and wait until the device has finished.

        Raises:
            NetworkError: If the network fails, in whichever pass.
        """
        with _running(self._device):
            self._run()

    @abstractmethod
    def _run(self) -> None:
        """Run one forward pass; any error is of the network."""

    def peak_memory(self) -> float:
        """Return the peak bytes of memory of the network in a pass; NaN if not known."""
        return float("nan")


class ModuleRunner(Runner):
    """A PyTorch module in evaluation mode, without gradients.

    A module on the ``meta`` device gets weights of zero mean, running variances of one, and zeros
    for tensors that are neither parameters nor buffers.

    Args:
        module: The network; it is moved to the device.
        inputs: Its example inputs: a tensor, a tuple of positional inputs or a mapping of named
            ones. Those on the ``meta`` device become zeros.
        device: Where it runs.

    Raises:
        NetworkError: If the device has too little memory.
    """

    def __init__(self, module: nn.Module, inputs: Any, device: torch.device) -> None:
        super().__init__(device)
        with _running(device):
            self._module = _materialised(module, device)
            evaluate(self._module)
            self._inputs, self._named = tree_map_only(
                torch.Tensor,
                lambda x: torch.zeros_like(x, device=device) if x.is_meta else x.to(device),
                arguments(inputs),
            )

    def _run(self) -> None:
        with torch.inference_mode():
            self._module(*self._inputs, **self._named)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def peak_memory(self) -> float:
        """Return the bytes of parameters and buffers plus the peak that a pass allocates."""
        own = [*self._module.parameters(), *self._module.buffers()]
        return float(sum(t.numel() * t.element_size() for t in own) + self._allocated())

    def _allocated(self) -> int:
        if self._device.type == "cuda":
            before = torch.cuda.memory_allocated(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self.run()
            return torch.cuda.max_memory_allocated(self._device) - before
        from torch.profiler import ProfilerActivity, profile

        # The profiler's library writes lines on standard error at its start and end.
        with (
            _silent_errors(),
            profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded,
        ):
            self.run()
        changes = [
            (event.start_ns(), event.nbytes())
            for event in recorded.profiler.kineto_results.events()
            if event.name() == "[memory]"
        ]
        sizes = np.cumsum([size for _, size in sorted(changes)])
        return int(sizes.max(initial=0))


class OnnxRunner(Runner):
    """An ONNX file in ONNX Runtime, whose inputs are zeros; sizes that are not fixed are 1.

    Args:
        device: Where it runs.
        threads: Threads of a pass on the CPU.

    Raises:
        NetworkError: If ONNX Runtime cannot load it.
        SettingsError: If ONNX Runtime is not installed.
        MeasureError: If it is installed, but not for this device.
    """

    def __init__(self, path: Path, device: torch.device, threads: int) -> None:
        super().__init__(device)
        check_onnx(("onnxruntime",))
        import onnxruntime

        provider = "CUDAExecutionProvider" if device.type == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise MeasureError(f"the installed ONNX Runtime cannot run on {device}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4
        try:
            try:
                str(path).encode()
                model: Any = path
            except UnicodeEncodeError:  # the name is not of this locale: ONNX Runtime refuses it
                model = read_regular(path, MOST_ONNX_BYTES, NetworkError)
            self._session = onnxruntime.InferenceSession(model, options, providers=[provider])
            self._feed = {given.name: _zeros(given) for given in self._session.get_inputs()}
        except Exception as error:  # of classes that onnxruntime does not name in public
            raise NetworkError(f"{path}: ONNX Runtime cannot load it ({one_line(error)})") from None

    def _run(self) -> None:
        self._session.run(None, self._feed)  # waits for the device


def runner_of(network: Any, device: torch.device, threads: int) -> Runner:
    """Return a network that a source loads, ready to run.

    Raises:
        NetworkError: If it is a graph alone, or does not run.
        SettingsError: If ONNX Runtime is needed and not installed.
        MeasureError: If it cannot run on the device.
    """
    if isinstance(network, Path):
        runner: Runner = OnnxRunner(network, device, threads)
    elif isinstance(network, tuple):
        module, inputs = network
        runner = ModuleRunner(module, inputs, device)
    else:
        raise NetworkError("a graph alone cannot be run, its module or ONNX file is needed")
    runner.run()
    return runner


@contextmanager
def _running(device: torch.device) -> Iterator[None]:
    """Convert any error of the block, in which a network is put on a device or run, to one."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise NetworkError(f"it does not run on {device}: {one_line(error)}") from error


@contextmanager
def _silent_errors() -> Iterator[None]:
    """Discard the output of libraries on standard error while the block runs."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _materialised(module: nn.Module, device: torch.device) -> nn.Module:
    replace_meta_attributes(module, lambda tensor: torch.zeros_like(tensor, device=device))
    if not any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        return module.to(device)
    module = module.to_empty(device=device)
    generator = seeded_generator(0)
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not tensor.is_floating_point():
                tensor.zero_()
            elif name.endswith("running_var"):
                tensor.fill_(1.0)
            else:
                # No zeros: products of zeros and denormal numbers have other times.
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.02)
    return module


def _zeros(given: Any) -> np.ndarray[Any, Any]:
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in given.shape]
    try:
        return np.zeros(shape, _NUMPY_TYPES[given.type])
    except KeyError:
        raise NetworkError(f"input {given.name!r} has the type {given.type}") from None
