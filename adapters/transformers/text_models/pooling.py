"""From the vectors of a text's tokens to the one vector of the text.

Shapes: ``tokens`` is (texts, tokens, dimensions), ``mask`` is (texts, tokens), 1 for a token and 0 for padding, which
stands on the right. A result is (texts, dimensions).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence


def pool(tokens: Any, mask: Any, modes: Sequence[str]) -> Any:
    """Return the vectors of the texts, those of several modes joined: (texts, dimensions x modes), as float32."""
    import torch

    tokens = tokens.float()
    mask = mask.unsqueeze(-1).to(tokens.dtype)
    vectors = [_MODES[mode](tokens, mask) for mode in modes]
    return torch.cat(vectors, dim=-1)


def _first(tokens: Any, mask: Any) -> Any:
    return tokens[:, 0]


def _last(tokens: Any, mask: Any) -> Any:
    import torch

    last = mask.squeeze(-1).sum(dim=1).long() - 1
    return tokens[torch.arange(len(tokens), device=tokens.device), last.clamp(min=0)]


def _max(tokens: Any, mask: Any) -> Any:
    return tokens.masked_fill(mask == 0, float("-inf")).max(dim=1).values


def _mean(tokens: Any, mask: Any) -> Any:
    return (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _mean_by_root(tokens: Any, mask: Any) -> Any:
    return (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1).sqrt()


def _weighted_mean(tokens: Any, mask: Any) -> Any:
    """Later tokens count for more: the first once, the second twice."""
    weights = mask * mask.cumsum(dim=1)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


_MODES: Dict[str, Callable[[Any, Any], Any]] = {
    "cls": _first,
    "lasttoken": _last,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_by_root,
    "weightedmean": _weighted_mean,
}
