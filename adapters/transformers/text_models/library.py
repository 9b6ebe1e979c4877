"""What all commands share: settings, PyTorch, where models are, and those loaded before the first request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

import pons

from text_models.carried import read_carried
from text_models.encoder import Encoder
from text_models.faults import bad_argument
from text_models.generator import Generator
from text_models.lookup import FoundModel, ModelLookup
from text_models.placement import Placement, place
from text_models.runtime import Runtime
from text_models.settings import Settings, prepare_environment, read_settings
from text_models.task_pipeline import TaskPipeline
from text_models.weights import read_json

TextModel = Union[Encoder, Generator, TaskPipeline]

EMBED = "embed"
GENERATE = "generate"


class Library:
    """Makes models. Useless until `configure` was called."""

    def __init__(self) -> None:
        self._configured: Optional[ModelLookup] = None
        self.settings = Settings()
        self.runtime = Runtime(self.settings)
        self.preloaded: Dict[str, Loaded] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the adapter's options, and load what they name under ``preload``.

        Raises
        ------
        pons.ConfigurationError
            An option is wrong, or a model that is named there cannot be loaded.
        """
        self.settings = read_settings(options)
        prepare_environment(self.settings, os.environ)
        self.runtime = Runtime(self.settings)
        self._configured = ModelLookup(self.settings, read_carried())
        for name in self.settings.preload:
            try:
                self.preloaded[name] = Loaded(self, name, None, place(self.runtime, "float32", None, False))
            except pons.Error as error:
                raise pons.ConfigurationError(f"options.preload: {error.message}") from error

    @property
    def lookup(self) -> ModelLookup:
        """Where models are."""
        if self._configured is None:
            raise RuntimeError("no options have been taken")
        return self._configured


class Loaded:
    """A model with what is told about it.

    Parameters
    ----------
    task
        ``"embed"``, ``"generate"``, a task of `task_pipeline.TASKS`; None: what the model's files say it is made for.
    """

    def __init__(self, library: Library, name: str, task: Optional[str], placement: Placement) -> None:
        found = library.lookup.find(name)
        self.task = task_of(found.directory) if task is None else task
        self.model: TextModel = _load(library.runtime, found, placement, self.task)
        self._found = found
        self._placement = placement

    def describe(self) -> Dict[str, Any]:
        """Return what ``create_...`` and ``list_...`` say: see README.md."""
        told: Dict[str, Any] = {
            "model": self._found.name,
            "directory": str(self._found.directory),
            "task": self.task,
            "dtype": self._placement.dtype,
            "device": self._placement.device.name,
            "quantized": self._placement.quantized,
            "memory_bytes": self.model.memory_bytes,
            "parameters": self.model.parameters,
            "max_tokens": self.model.max_tokens,
        }
        if isinstance(self.model, Encoder):
            told["dimensions"] = self.model.dimensions
        if self._placement.device.note:
            told["note"] = self._placement.device.note
        return told

    def encoder(self, path: str) -> Encoder:
        """Return the model if it makes vectors of texts; else raise ``invalid_args``."""
        if not isinstance(self.model, Encoder):
            raise bad_argument(
                path, f"{self._found.name} was loaded for {self.task}", "a model created for the task embed"
            )
        return self.model

    def generator(self, path: str) -> Generator:
        """Return the model if it continues texts; else raise ``invalid_args``."""
        if not isinstance(self.model, Generator):
            raise bad_argument(
                path, f"{self._found.name} was loaded for {self.task}", "a model created for the task generate"
            )
        return self.model


def task_of(directory: Path) -> str:
    """Return what a model is made for, by its files: ``"generate"`` for a causal language model, else ``"embed"``."""
    if (directory / "modules.json").is_file():
        return EMBED
    config = read_json(directory / "config.json")
    names: List[Any] = (config.get("architectures") or []) if isinstance(config, dict) else []
    causal = any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in names)
    return GENERATE if causal else EMBED


def _load(runtime: Runtime, found: FoundModel, placement: Placement, task: str) -> TextModel:
    if task == EMBED:
        return Encoder(runtime, found, placement)
    if task in (GENERATE, "text-generation"):
        return Generator(runtime, found, placement)
    return TaskPipeline(runtime, found, placement, task)
