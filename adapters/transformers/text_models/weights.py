"""The files with a model's weights, looked at before a library reads them, so that a broken one is named."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Dict, List

from text_models.faults import model_fault

_MOST_HEADER_BYTES = 100_000_000  # the format's own limit


def check_weights(directory: Path) -> List[Path]:
    """Return the files that hold the weights: safetensors if there are any, else PyTorch's, whose code is never run.

    Raises
    ------
    pons.Error
        ``model_error``: a file is missing, cut short or not what it should be; it is named.
    """
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        files = [directory / name for name in _files_of_index(index)]
    else:
        files = [directory / "model.safetensors"]
        if not files[0].is_file():
            return _pytorch_weights(directory)
    for file in files:
        check_safetensors(file)
    return files


def check_safetensors(file: Path) -> None:
    """Look at the header of a safetensors file, and whether the file is as long as that says.

    Raises
    ------
    pons.Error
        ``model_error`` that names the file and what is wrong with it.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_MOST_HEADER_BYTES, size - 8):
                raise model_fault(f"is no safetensors file ({size} bytes, header of {length})", file=str(file))
            header = json.loads(stream.read(length).decode("utf-8"))
    except OSError as error:
        raise model_fault("cannot be read", file=str(file), cause=error) from error
    except ValueError as error:  # of decode() and loads() alike
        raise model_fault("is no safetensors file, its header is not JSON", file=str(file)) from error
    wanted = 8 + length + _data_bytes(header, file)
    if size != wanted:
        state = "was cut short" if size < wanted else "is too long"
        raise model_fault(f"{state}: it has {size} bytes, and its header describes {wanted}", file=str(file))


def read_json(file: Path) -> Any:
    """Return a JSON file of a model.

    Raises
    ------
    pons.Error
        ``model_error`` that names the file.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise model_fault("cannot be read", file=str(file), cause=error) from error
    except ValueError as error:
        raise model_fault("is no JSON", file=str(file), cause=error) from error


def _data_bytes(header: Any, file: Path) -> int:
    try:
        return max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise model_fault("is no safetensors file, its header describes no tensors", file=str(file)) from error


def _files_of_index(index: Path) -> List[str]:
    document: Dict[str, Any] = read_json(index)
    try:
        names = sorted(set(document["weight_map"].values()))
    except (AttributeError, KeyError, TypeError) as error:
        raise model_fault("names no files: it has no weight_map", file=str(index)) from error
    for name in names:
        if not isinstance(name, str) or "/" in name:
            raise model_fault(f"names {name!r}, which is no file of its folder", file=str(index))
    return names


def _pytorch_weights(directory: Path) -> List[Path]:
    single = directory / "pytorch_model.bin"
    index = directory / "pytorch_model.bin.index.json"
    files = [directory / name for name in _files_of_index(index)] if index.is_file() else [single]
    for file in files:
        if not file.is_file():
            raise model_fault("holds no weights: neither model.safetensors nor pytorch_model.bin", file=str(directory))
    return files
