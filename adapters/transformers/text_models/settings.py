"""The adapter's options, checked, and what of them has to be in the environment before a library is imported."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, MutableMapping

import pons

DEVICES = "auto, cpu, cuda, cuda:N or mps"
_MOST_THREADS = 1024


def _default_cache() -> Path:
    return Path("~/.cache/pons/models").expanduser()


@dataclass(frozen=True)
class Settings:
    """What a user may set under ``options``.

    Attributes
    ----------
    model_cache_dir
        Where models lie that are asked for by name, and where downloads go.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    threads
        Threads of one computation; 0: as many as ``OMP_NUM_THREADS`` says.
    allow_download
        Whether a model that is not on disk may be fetched.
    preload
        Models that every worker loads before its first request; commands take them by name.
    """

    model_cache_dir: Path = field(default_factory=_default_cache)
    device: str = "auto"
    threads: int = 0
    allow_download: bool = False
    preload: List[str] = field(default_factory=list)


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Check options.

    Raises
    ------
    pons.ConfigurationError
        A key is unknown or its value is none; the message names it.
    """
    known = Settings.__dataclass_fields__
    values: Dict[str, Any] = {key: value for key, value in options.items() if key != "debug"}  # that one is the SDK's
    for key in values:
        if key not in known:
            raise pons.ConfigurationError(f"options.{key}: unknown key; there are {', '.join(sorted(known))}")
    if "model_cache_dir" in values:
        values["model_cache_dir"] = _folder(values["model_cache_dir"])
    _check(values, "device", is_device, DEVICES)
    _check(values, "threads", _is_thread_count, f"an integer from 0 to {_MOST_THREADS}")
    _check(values, "allow_download", lambda value: isinstance(value, bool), "true or false")
    _check(values, "preload", _is_list_of_names, "a list of models' names or directories")
    return Settings(**values)


def prepare_environment(settings: Settings, environment: MutableMapping[str, str]) -> None:
    """Set the variables that the libraries read while they are imported.

    Without ``allow_download`` no library may reach for the network, whatever a model's files say.
    """
    environment["HF_HUB_OFFLINE"] = "0" if settings.allow_download else "1"
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    environment["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if settings.threads:
        environment["OMP_NUM_THREADS"] = str(settings.threads)
    # The tokenizers have a pool of threads of their own, as large as the machine unless it is told otherwise.
    if "OMP_NUM_THREADS" in environment:
        environment["RAYON_NUM_THREADS"] = environment["OMP_NUM_THREADS"]


def _check(values: Mapping[str, Any], key: str, right: Any, expected: str) -> None:
    if key in values and not right(values[key]):
        raise pons.ConfigurationError(f"options.{key}: {values[key]!r} is not {expected}")


def _folder(value: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise pons.ConfigurationError(f"options.model_cache_dir: {value!r} is not the path of a folder")
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise pons.ConfigurationError(f"options.model_cache_dir: {value} is relative; write the whole path")
    if path.exists() and not path.is_dir():
        raise pons.ConfigurationError(f"options.model_cache_dir: {value} is not a folder")
    if path.exists() and not os.access(path, os.R_OK | os.X_OK):
        raise pons.ConfigurationError(f"options.model_cache_dir: {value} cannot be read by this user")
    return path


def is_device(value: Any) -> bool:
    """Tell whether a value names a device, be it there or not."""
    if not isinstance(value, str):
        return False
    kind, colon, number = value.partition(":")
    return value in ("auto", "cpu", "mps") or (kind == "cuda" and (number.isdigit() if colon else True))


def _is_thread_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_THREADS


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)
