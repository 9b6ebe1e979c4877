"""Models that installed Python packages carry inside: those that adapter.yaml names under ``models``.

Nothing of such a package is imported: its folder is read from what pip wrote about it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Optional

from text_models.faults import model_fault

ADAPTER_FILE = Path(__file__).resolve().parent.parent / "adapter.yaml"


@dataclass(frozen=True)
class CarriedModel:
    """A model inside a package.

    Attributes
    ----------
    name
        What callers call it.
    package, version
        The distribution that carries it, as pip names it.
    file, sha256
        The file with the weights, relative to where packages are installed, and its checksum in hexadecimal. The rest
        of the model lies beside it.
    """

    name: str
    package: str
    version: str
    file: str
    sha256: str

    def directory(self) -> Optional[Path]:
        """Return where the model's folder is, or None where the package is not installed.

        Raises
        ------
        pons.Error
            ``model_error``: another version is installed.
        """
        try:
            distribution = metadata.distribution(self.package)
        except metadata.PackageNotFoundError:
            return None
        if distribution.version != self.version:
            raise model_fault(
                f"Model {self.name}: package {self.package} {distribution.version} is installed, and {self.version} is"
                f" wanted; install {self.package}=={self.version}"
            )
        return Path(str(distribution.locate_file(self.file))).parent

    def verify(self, directory: Path) -> None:
        """Compare the weights with their checksum.

        Raises
        ------
        pons.Error
            ``model_error`` that names the file.
        """
        path = directory / Path(self.file).name
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise model_fault("cannot be read", file=str(path), cause=error) from error
        if digest.hexdigest() != self.sha256:
            raise model_fault(
                f"its SHA-256 is not the one in adapter.yaml; install {self.package}=={self.version} again",
                file=str(path),
            )


def read_carried(file: Path = ADAPTER_FILE) -> List[CarriedModel]:
    """Return the models of an adapter.yaml."""
    import yaml  # type: ignore[import]  # comes with Transformers; its stubs are not asked for

    with file.open(encoding="utf-8") as stream:
        document: Dict[str, Any] = yaml.safe_load(stream)
    return [
        CarriedModel(entry["name"], entry["package"], str(entry["version"]), entry["file"], entry["sha256"])
        for entry in document.get("models", [])
    ]
