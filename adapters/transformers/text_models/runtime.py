"""PyTorch as this worker uses it: imported on first use; threads, devices, number formats, and a model's memory."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Optional

from text_models.faults import bad_argument
from text_models.settings import Settings

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Device:
    """Where a model computes.

    Attributes
    ----------
    name
        As PyTorch writes it.
    note
        Why it is not the device that was asked for; empty if it is.
    """

    name: str
    note: str = ""


class Runtime:
    """PyTorch, imported when it is first needed: a worker that waits has not loaded it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._torch: Any = None

    @property
    def loaded(self) -> bool:
        """Whether PyTorch has been imported."""
        return self._torch is not None

    @property
    def torch(self) -> Any:
        """The module ``torch``, with the option ``threads`` put into force."""
        if self._torch is None:
            import torch
            from transformers.utils import logging

            logging.disable_progress_bar()
            logging.set_verbosity_error()  # what it warns of is checked here, and said in errors
            if self._settings.threads:
                torch.set_num_threads(self._settings.threads)
            self._torch = torch
        return self._torch

    def device(self, asked: Optional[str] = None) -> Device:
        """Return the device asked for, or the CPU with a note where that device is not to be had.

        Parameters
        ----------
        asked
            As in the option ``device``, which counts where this is None.
        """
        name = self._settings.device if asked is None else asked
        if name == "cpu":
            return Device("cpu")
        cuda = self.torch.cuda.device_count() if self.torch.cuda.is_available() else 0
        mps = self.torch.backends.mps.is_available()
        if name == "auto":
            return Device("cuda" if cuda else "mps" if mps else "cpu")
        kind, _, number = name.partition(":")
        if (kind == "cuda" and int(number or 0) < cuda) or (kind == "mps" and mps):
            return Device(name)
        there = [f"cuda:{index}" for index in range(cuda)] + (["mps"] if mps else []) + ["cpu"]
        return Device("cpu", f"device {name} is not available here (there is {', '.join(there)}): computing on the cpu")

    def dtype(self, name: str) -> Any:
        """Return the number format of that name, one of ``DTYPES``."""
        return getattr(self.torch, name)

    def quantize(self, model: Any) -> Any:
        """Return the model with the weights of its linear layers as 8-bit integers; computed on the CPU only.

        Raises
        ------
        pons.InvalidArgs
            The model has no linear layer.
        """
        linear = self.torch.nn.Linear
        if not any(isinstance(module, linear) for module in model.modules()):
            raise bad_argument("/quantized", "this model has no linear layers, there is nothing to quantize")
        with warnings.catch_warnings():
            # Deprecated in the version that is pinned, without a successor that needs no further package.
            warnings.simplefilter("ignore")
            return self.torch.ao.quantization.quantize_dynamic(model, {linear}, dtype=self.torch.qint8)

    def info(self) -> Dict[str, Any]:
        """Return what ``get_info`` says of the device: ``{device: {asked, used, note?}, torch?, threads?}``.

        Where ``auto`` is asked for and nothing has been computed, ``used`` is None: finding out would load PyTorch.
        """
        asked = self._settings.device
        if asked == "auto" and not self.loaded:
            return {"device": {"asked": asked, "used": None}}
        device = self.device()
        entry: Dict[str, Any] = {"asked": asked, "used": device.name}
        if device.note:
            entry["note"] = device.note
        if not self.loaded:
            return {"device": entry}
        return {"device": entry, "torch": self.torch.__version__, "threads": self.torch.get_num_threads()}


def memory_bytes(model: Any) -> int:
    """Return the bytes of a model's parameters and buffers, tensors that are shared counted once."""
    sizes = {tensor.data_ptr(): tensor.numel() * tensor.element_size() for tensor in _tensors(model)}
    return sum(sizes.values())


def parameter_count(model: Any) -> int:
    """Return how many numbers a model has learnt, tensors that are shared counted once."""
    return sum({tensor.data_ptr(): tensor.numel() for tensor in _tensors(model, buffers=False)}.values())


def _tensors(model: Any, buffers: bool = True) -> Iterator[Any]:
    yield from model.parameters()
    if buffers:
        yield from model.buffers()
    for module in model.modules():
        # A quantized layer keeps its weights packed, outside of its parameters.
        packed = getattr(module, "_weight_bias", None)
        if packed is not None:
            yield from (tensor for tensor in packed() if tensor is not None)
