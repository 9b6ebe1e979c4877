"""How a model is to be held: number format, device, quantized or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from text_models.faults import bad_argument
from text_models.runtime import Device, Runtime
from text_models.settings import DEVICES, is_device


@dataclass(frozen=True)
class Placement:
    """A number format and a device.

    Attributes
    ----------
    dtype
        One of `runtime.DTYPES`.
    device
        Where it is computed, with a note if that is not what was asked for.
    quantized
        Whether the weights of linear layers are 8-bit integers.
    """

    dtype: str
    device: Device
    quantized: bool


def place(runtime: Runtime, dtype: str, device: Optional[str], quantized: bool) -> Placement:
    """Return where and how a model is to be held.

    Raises
    ------
    pons.InvalidArgs
        What is asked for does not go together.
    """
    if device is not None and not is_device(device):
        raise bad_argument("/device", f"{device!r} is no device", DEVICES)
    if not quantized:
        return Placement(dtype, runtime.device(device), False)
    if dtype != "float32":
        raise bad_argument("/dtype", f"a quantized model computes in float32, not in {dtype}", "float32")
    if device not in (None, "auto", "cpu"):
        raise bad_argument("/device", f"quantized models are computed on the cpu, not on {device}", "cpu")
    return Placement(dtype, Device("cpu"), True)
