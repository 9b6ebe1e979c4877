"""The longest text that a model takes: finding it, holding texts to it, cutting them where that is asked for."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import pons

from text_models.faults import bad_argument

# Tokenizers that know of no limit say a number like 10**30.
_NO_LIMIT = 10**9

# The positions of these begin behind that of the padding token, so that two fewer are left for the text.
_POSITIONS_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl")


def longest_text(config: Any, tokenizer: Any, wanted: Optional[int] = None) -> Optional[int]:
    """Return how many tokens a model takes, with those that it adds itself; None where nothing limits it.

    Parameters
    ----------
    config
        The model's configuration.
    tokenizer
        Its tokenizer.
    wanted
        What the model was made for, if it says so; it cannot be more than what the model has positions for.
    """
    limits: List[int] = []
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        if config.model_type in _POSITIONS_BEHIND_PADDING:
            positions -= (config.pad_token_id or 0) + 1
        limits.append(positions)
    if wanted is not None:
        limits.append(wanted)
    elif 0 < tokenizer.model_max_length < _NO_LIMIT:
        limits.append(tokenizer.model_max_length)
    return min(limits) if limits else None


def token_counts(tokenizer: Any, texts: Sequence[str]) -> List[int]:
    """Return how many tokens each text has, with those that the model adds."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=True, truncation=False, verbose=False)
    return [len(ids) for ids in encoded["input_ids"]]


def texts_too_long(counts: Sequence[int], limit: Optional[int]) -> List[int]:
    """Return the indices of the texts with more tokens than the limit."""
    return [] if limit is None else [index for index, count in enumerate(counts) if count > limit]


def element_paths(path: str, texts: Sequence[str]) -> List[str]:
    """Return the JSON pointers to the elements of the list at `path`."""
    return [f"{path}/{index}" for index in range(len(texts))]


def refuse_too_long(counts: Sequence[int], limit: Optional[int], paths: Sequence[str]) -> None:
    """Raise for the texts with more tokens than the limit.

    Parameters
    ----------
    paths
        JSON pointers to the texts in the request.

    Raises
    ------
    pons.InvalidArgs
        An entry for each of them, with its index and both numbers.
    """
    errors = [
        {
            "path": paths[index],
            "message": f"the text has {counts[index]} tokens, and the model takes {limit}; shorten it,"
            " or say truncate: true",
            "expected": f"at most {limit} tokens",
        }
        for index in texts_too_long(counts, limit)
    ]
    if errors:
        raise pons.InvalidArgs(errors)


def cut_texts(
    tokenizer: Any, texts: Sequence[str], limit: Optional[int], paths: Sequence[str]
) -> Tuple[List[str], List[int]]:
    """Return texts that are no longer than the limit, and the indices of those that were cut.

    A text is cut at the end of the last token that fits.

    Raises
    ------
    pons.InvalidArgs
        The tokenizer cannot say where in a text its tokens lie.
    """
    kept = list(texts)
    cut = texts_too_long(token_counts(tokenizer, kept), limit)
    if cut and not tokenizer.is_fast:
        raise bad_argument(paths[cut[0]], f"too long (limit {limit}), and this tokenizer cannot tell where to cut")
    for index in cut:
        encoded = tokenizer(kept[index], truncation=True, max_length=limit, return_offsets_mapping=True)
        kept[index] = kept[index][: max(end for _, end in encoded["offset_mapping"])]
    return kept, cut
