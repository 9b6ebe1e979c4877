"""The results of commands, from what the models return."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

import pons

from text_models.encoder import Embeddings
from text_models.sampling import Continuation
from text_models.task_pipeline import TaskResults


def progress_of(ctx: pons.Context, what: str) -> Callable[[int, int], None]:
    """Return what tells the caller of a request how many texts are done."""
    return lambda done, total: ctx.progress(done, total, what)


def embeddings_answer(embeddings: Embeddings) -> Dict[str, Any]:
    """Return ``{embeddings (texts, dimensions), dimensions, tokens, truncated}``."""
    return {
        "embeddings": embeddings.vectors,
        "dimensions": embeddings.vectors.shape[1],
        "tokens": embeddings.tokens,
        "truncated": embeddings.truncated,
    }


def results_answer(results: TaskResults) -> Dict[str, Any]:
    """Return ``{results, truncated}``."""
    return {"results": results.results, "truncated": results.truncated}


def continuations_answer(continuations: Sequence[Continuation]) -> Dict[str, Any]:
    """Return ``{results: [{text, tokens, finish}]}``."""
    return {"results": list(continuations)}


def tokens_answer(tokenizer: Any, texts: List[str], special_tokens: bool) -> Dict[str, Any]:
    """Return ``{ids, tokens, counts}``, an element of each for each text."""
    if not texts:
        return {"ids": [], "tokens": [], "counts": []}
    ids: List[List[int]] = tokenizer(texts, add_special_tokens=special_tokens, truncation=False, verbose=False)[
        "input_ids"
    ]
    return {
        "ids": ids,
        "tokens": [tokenizer.convert_ids_to_tokens(row) for row in ids],
        "counts": [len(row) for row in ids],
    }
