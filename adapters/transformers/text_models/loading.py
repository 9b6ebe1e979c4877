"""Loads tokenizers and models from a folder: never code, never weights that do not fit, each fault named."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Collection, Dict, Iterator

import pons

from text_models.faults import model_fault
from text_models.runtime import Runtime
from text_models.weights import check_weights

# Nothing here runs what these compute, and published encoders often come without them.
_UNUSED_BY_ENCODERS = ("pooler.",)


def load_tokenizer(directory: Path) -> Any:
    """Return the tokenizer of a folder.

    Raises
    ------
    pons.Error
        ``model_error``: there is none, or its files are broken.
    """
    from transformers import AutoTokenizer

    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")):
        raise model_fault("has no tokenizer: neither tokenizer.json nor tokenizer_config.json", file=str(directory))
    with _faults_of(directory, "its tokenizer cannot be loaded"):
        return AutoTokenizer.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)


def load_model(runtime: Runtime, directory: Path, auto_class: str, dtype: str, quantized: bool, device: str) -> Any:
    """Return a model, ready to compute.

    Parameters
    ----------
    runtime
        PyTorch.
    directory
        The folder with config.json and weights.
    auto_class
        The class of Transformers that chooses the model's class, such as ``"AutoModelForCausalLM"``.
    dtype
        One of `runtime.DTYPES`.
    quantized
        Whether linear layers get 8-bit weights.
    device
        As PyTorch writes it.

    Raises
    ------
    pons.Error
        ``model_error``: weights are missing, broken or those of another model; the message names the file.
    """
    import transformers

    config = _load_config(directory)
    files = check_weights(directory)
    chooser = getattr(transformers, auto_class)
    with _faults_of(files[0], "its weights cannot be loaded"):
        model, report = chooser.from_pretrained(
            str(directory),
            config=config,
            dtype=runtime.dtype(dtype),
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
        )
    unused = _UNUSED_BY_ENCODERS if auto_class == "AutoModel" else ()
    _check_report(report, files[0], unused)
    model.eval()
    return runtime.quantize(model) if quantized else model.to(device)


def _load_config(directory: Path) -> Any:
    from transformers import AutoConfig

    with _faults_of(directory / "config.json", "cannot be used"):
        return AutoConfig.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)


def _check_report(report: Dict[str, Any], file: Path, unused: Collection[str]) -> None:
    """Refuse a model of which a part would be random numbers."""
    missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in unused))
    if missing:
        raise model_fault(f"lacks {len(missing)} of the model's weights: {', '.join(missing[:3])}", file=str(file))
    mismatched = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    if mismatched:
        raise model_fault(
            f"has weights of another shape than config.json says: {', '.join(mismatched[:3])}", file=str(file)
        )


@contextmanager
def _faults_of(file: Path, what: str) -> Iterator[None]:
    """Turn what a library raises over a file into ``model_error``."""
    try:
        yield
    except (pons.Error, MemoryError):
        raise
    except Exception as error:  # of Transformers, safetensors, tokenizers, json and PyTorch: each has its own
        raise model_fault(what, file=str(file), cause=error) from error
