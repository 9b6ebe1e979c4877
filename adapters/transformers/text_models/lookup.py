"""From what a caller calls a model to the folder that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

from text_models.carried import CarriedModel
from text_models.faults import bad_argument, model_fault
from text_models.settings import Settings

# Never code, and never a pickle where there is something better.
_DOWNLOADED = ["*.json", "*.txt", "*.model", "*.safetensors"]


@dataclass(frozen=True)
class FoundModel:
    """A model's folder.

    Attributes
    ----------
    name
        What the caller wrote.
    directory
        The folder with its config.json or modules.json.
    source
        ``directory``, ``cache`` or ``package``.
    """

    name: str
    directory: Path
    source: str


class ModelLookup:
    """Finds models: by directory, by name in the cache or in a package, and last by download if that is allowed."""

    def __init__(self, settings: Settings, carried: List[CarriedModel]) -> None:
        self._settings = settings
        self._carried = {model.name: model for model in carried}

    def find(self, name: str, path: str = "/model") -> FoundModel:
        """Return where a model is.

        Parameters
        ----------
        name
            An absolute directory, or a name.
        path
            JSON pointer to the name in the request, for the error.

        Raises
        ------
        pons.InvalidArgs
            There is no such model; the message says where it was looked for.
        pons.Error
            ``model_error``: it is there but not what it should be, or its download failed.
        """
        if not name:
            raise bad_argument(path, "the name is empty", "a model's directory or name")
        written = Path(name).expanduser()
        if written.is_absolute():
            return self._directory(name, written, path)
        if ".." in written.parts:
            raise bad_argument(path, f"{name} leaves the model cache", "an absolute directory, or a name")
        found = self._in_cache(name) or self._in_package(name)
        if found is not None:
            return found
        if self._settings.allow_download:
            return self._download(name)
        raise bad_argument(path, f"no model {name}: {self._where_it_was_looked_for(name)}", "a model that is on disk")

    def available(self) -> List[Dict[str, Any]]:
        """Return the models that can be had by name, each as ``{name, source, directory}``.

        The directory is None where the package that carries it is not installed.
        """
        entries: List[Dict[str, Any]] = []
        for model in self._carried.values():
            directory = model.directory()
            entries.append(
                {"name": model.name, "source": "package", "directory": None if directory is None else str(directory)}
            )
        cache = self._settings.model_cache_dir
        for config in sorted({*cache.glob("*/config.json"), *cache.glob("*/*/config.json")}):
            name = str(config.parent.relative_to(cache))
            if not name.startswith("models--"):
                entries.append({"name": name, "source": "cache", "directory": str(config.parent)})
        for folder in sorted(cache.glob("models--*")):
            name = folder.name[len("models--") :].replace("--", "/")
            snapshot = self._snapshot(name)
            if snapshot is not None:
                entries.append({"name": name, "source": "cache", "directory": str(snapshot)})
        return entries

    def _directory(self, name: str, directory: Path, path: str) -> FoundModel:
        if not directory.is_dir():
            state = "is no directory" if directory.exists() else "does not exist"
            raise bad_argument(path, f"{directory} {state}", "the directory of a model")
        if not _holds_model(directory):
            raise bad_argument(path, f"{directory} holds no model: it has no config.json", "the directory of a model")
        return FoundModel(name, directory, "directory")

    def _in_cache(self, name: str) -> Optional[FoundModel]:
        directory = self._settings.model_cache_dir / name
        if _holds_model(directory):
            return FoundModel(name, directory, "cache")
        snapshot = self._snapshot(name)
        return None if snapshot is None else FoundModel(name, snapshot, "cache")

    def _snapshot(self, name: str) -> Optional[Path]:
        """Return what a download of this name left in the cache: the layout that the hub's own tools write."""
        folder = self._settings.model_cache_dir / ("models--" + name.replace("/", "--"))
        try:
            revision = (folder / "refs" / "main").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        directory = folder / "snapshots" / revision
        return directory if _holds_model(directory) else None

    def _in_package(self, name: str) -> Optional[FoundModel]:
        carried = self._carried.get(name)
        directory = None if carried is None else carried.directory()
        if carried is None or directory is None:
            return None
        carried.verify(directory)
        return FoundModel(name, directory, "package")

    def _where_it_was_looked_for(self, name: str) -> str:
        cache = self._settings.model_cache_dir
        said = (
            f"it is not in {cache}" if cache.is_dir() else f"the folder {cache} (option model_cache_dir) does not exist"
        )
        if name in self._carried:
            carried = self._carried[name]
            return f"{said}, and package {carried.package}=={carried.version}, which carries it, is not installed"
        names = ", ".join(sorted(self._carried))
        return f"{said}, no package carries it (they carry {names}), and option allow_download is off"

    def _download(self, name: str) -> FoundModel:
        from huggingface_hub import snapshot_download

        cache = self._settings.model_cache_dir
        try:
            directory = Path(snapshot_download(name, cache_dir=str(cache), allow_patterns=_DOWNLOADED))
        except Exception as error:  # of half a dozen libraries: names, network, permissions, a full disk
            raise model_fault(f"Model {name} is not on disk, and its download failed", cause=error) from error
        if not _holds_model(directory):
            raise model_fault(f"Model {name} was downloaded and has no config.json", file=str(directory))
        return FoundModel(name, directory, "cache")


def _holds_model(directory: Path) -> bool:
    return (directory / "config.json").is_file() or (directory / "modules.json").is_file()
