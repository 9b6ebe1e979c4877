"""How a sentence encoder wants to be used: what its own modules.json and the files beside it say.

The layout is that of the library Sentence Transformers, in which such models are published.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from text_models.faults import model_fault
from text_models.weights import read_json

POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")

# Older files have a flag for each mode. Their order is that in which several are joined.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True)
class SentenceSetup:
    """What turns a text into one vector.

    Attributes
    ----------
    transformer
        The folder with config.json, tokenizer and weights.
    pooling
        Modes of ``POOLING_MODES``; the vectors of several are joined.
    normalize
        Whether vectors have length 1 unless the caller says otherwise.
    max_tokens
        The longest text, in tokens, that the model was made for; None: as long as the model takes.
    lower_case
        Whether texts are put into small letters before the tokenizer sees them.
    prompt
        What is written before each text.
    """

    transformer: Path
    pooling: Tuple[str, ...] = ("mean",)
    normalize: bool = True
    max_tokens: Optional[int] = None
    lower_case: bool = False
    prompt: str = ""


def read_sentence_setup(directory: Path) -> SentenceSetup:
    """Read modules.json and what it names. A folder without it is a plain encoder: mean pooling, vectors of length 1.

    Raises
    ------
    pons.Error
        ``model_error``: a file is not what it should be, or the model has a step that is not known here.
    """
    file = directory / "modules.json"
    if not file.is_file():
        return SentenceSetup(transformer=directory)
    transformer = directory
    pooling: Optional[Tuple[str, ...]] = None
    normalize = False
    prompt = _default_prompt(directory / "config_sentence_transformers.json")
    for kind, folder in _steps(file, directory):
        if kind == "Transformer":
            transformer = folder
        elif kind == "Pooling":
            pooling = _pooling(folder / "config.json", prompt)
        elif kind == "Normalize":
            normalize = True
        else:
            raise model_fault(f"has the step {kind}; known are Transformer, Pooling and Normalize", file=str(file))
    if pooling is None:
        raise model_fault("has no Pooling: this model makes no vector of a text", file=str(file))
    limits = _first_json(transformer, "sentence_*_config.json")
    most = limits.get("max_seq_length")
    if most is not None and not (isinstance(most, int) and most > 0):
        raise model_fault(f"max_seq_length is {most!r}, and should be a number of tokens", file=str(transformer))
    return SentenceSetup(
        transformer=transformer,
        pooling=pooling,
        normalize=normalize,
        max_tokens=most,
        lower_case=bool(limits.get("do_lower_case", False)),
        prompt=prompt,
    )


def _steps(file: Path, directory: Path) -> List[Tuple[str, Path]]:
    try:
        return [(str(step["type"]).rpartition(".")[2], directory / step["path"]) for step in read_json(file)]
    except (KeyError, TypeError) as error:
        raise model_fault("is no list of steps, each with type and path", file=str(file)) from error


def _pooling(file: Path, prompt: str) -> Tuple[str, ...]:
    document = read_json(file)
    if not isinstance(document, dict):
        raise model_fault("is no map", file=str(file))
    modes = document.get("pooling_mode", [mode for flag, mode in _FLAGS.items() if document.get(flag)])
    if isinstance(modes, str):
        modes = [modes]
    if not isinstance(modes, list) or not modes or any(mode not in POOLING_MODES for mode in modes):
        raise model_fault(f"pools by {modes!r}; known are {', '.join(POOLING_MODES)}", file=str(file))
    if prompt and document.get("include_prompt") is False:
        raise model_fault("leaves the prompt out of the pooling, which is not known here", file=str(file))
    return tuple(modes)


def _first_json(folder: Path, pattern: str) -> Mapping[str, Any]:
    for file in sorted(folder.glob(pattern)):
        document = read_json(file)
        if isinstance(document, dict):
            return document
    return {}


def _default_prompt(file: Path) -> str:
    document = read_json(file) if file.is_file() else {}
    name = document.get("default_prompt_name") if isinstance(document, dict) else None
    if name is None:
        return ""
    prompt = (document.get("prompts") or {}).get(name)
    if not isinstance(prompt, str):
        raise model_fault(f"names the prompt {name!r} and does not have it", file=str(file))
    return prompt
