"""Fixtures: small models with random weights, the app without a process, a real host, the real model if it is there.

Run in the adapter's environment, with requirements-test.txt installed. `PONS_PROGRAM` is the path of `pons`.
`PONS_TEST_MODELS=DIR` replaces the package that carries the real model: DIR holds its folder under the model's name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pons.testing
import pytest
from text_models.carried import read_carried
from text_models.commands import build_app

import host

MODEL = "all-minilm-l6-v2"

ROOT = Path(__file__).resolve().parents[3]
ADAPTER = ROOT / "adapters/transformers"

_not_run: pytest.StashKey[List[str]] = pytest.StashKey()
_figures: pytest.StashKey[List[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"  # for the reference too, which this process imports
    host.DEADLINE = 300.0  # PyTorch takes a while to load on a machine that does other things too
    config.stash[_not_run] = []
    config.stash[_figures] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash[_figures]:
        terminalreporter.write_line(line)
    missing = config.stash[_not_run]
    if missing:
        terminalreporter.write_line(f"NOT RUN, for lack of the model {MODEL}: {len(missing)} tests")
        for name in missing:
            terminalreporter.write_line(f"  not run: {name}")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what prints a line at the end of the run, whether tests' output is shown or not."""
    return request.config.stash[_figures].append


@pytest.fixture
def minilm(request: pytest.FixtureRequest) -> str:
    """Return the directory of the real model. Where there is none the test is not run, and the summary names it."""
    replaced = os.environ.get("PONS_TEST_MODELS")
    if replaced is not None:
        folder = Path(replaced) / MODEL
        assert folder.is_dir(), f"PONS_TEST_MODELS={replaced}: it has no folder {MODEL}"
        return str(folder)
    (carried,) = read_carried()
    directory = carried.directory()
    if directory is None:
        request.config.stash[_not_run].append(request.node.nodeid)
        pytest.skip(f"package {carried.package}=={carried.version} is not installed")
    return str(directory)


class Models:
    """Folders with tiny models, each written when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, *arguments: Any, **more: Any) -> Path:
        """Return the folder that `tiny_models.write_NAME` fills."""
        folder = self._folder / "-".join([name, *(str(each) for each in [*arguments, *more.values()])]).replace(
            "/", "_"
        )
        if not folder.exists():
            import tiny_models  # not before the environment says that there is no network

            getattr(tiny_models, f"write_{name}")(folder, *arguments, **more)
        return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def start() -> Iterator[Callable[..., pons.testing.Client]]:
    """Start the worker's app with options, over a codec; it is closed when the test ends."""
    clients: List[pons.testing.Client] = []

    def start_client(codec: str = "json", **options: Any) -> pons.testing.Client:
        clients.append(pons.testing.client(build_app(), codec=codec, options=options))
        return clients[-1]

    yield start_client
    for client in clients:
        client.close()


@pytest.fixture
def worker(start: Callable[..., pons.testing.Client]) -> pons.testing.Client:
    """Return the worker's app, started without options."""
    return start()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., host.Host]]:
    """Start a host that serves the adapter with this interpreter; more keys of its entry may be given."""
    program = os.environ.get("PONS_PROGRAM", "")
    assert program, "PONS_PROGRAM must be the path of the program `pons`"
    hosts: List[host.Host] = []

    def serve_adapter(*arguments: str, **entry: Any) -> host.Host:
        command = [sys.executable, str(ADAPTER / "worker.py")]
        config: Dict[str, Any] = {"adapters": {"transformers": {"adapter": str(ADAPTER), "command": command, **entry}}}
        hosts.append(host.Host(program, tmp_path, config, *arguments))
        return hosts[-1]

    yield serve_adapter
    for each in hosts:
        each.stop()


def error_of(call: Callable[..., Any], *arguments: Any, **more: Any) -> pons.Error:
    """Return the error that a call ends with."""
    with pytest.raises(pons.Error) as raised:
        call(*arguments, **more)
    return raised.value
