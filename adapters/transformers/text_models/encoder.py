"""A sentence encoder: texts in, one vector each out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence

from text_models import pooling
from text_models.loading import load_model, load_tokenizer
from text_models.lookup import FoundModel
from text_models.placement import Placement
from text_models.runtime import Runtime, memory_bytes, parameter_count
from text_models.sentence_setup import read_sentence_setup
from text_models.text_limit import element_paths, longest_text, refuse_too_long, texts_too_long, token_counts

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Embeddings:
    """What `Encoder.embed` returns.

    Attributes
    ----------
    vectors
        (texts, dimensions) of float32, a NumPy array.
    truncated
        Indices of the texts of which only the beginning counted.
    tokens
        How many tokens of each text counted.
    """

    vectors: Any
    truncated: List[int]
    tokens: List[int]


class Encoder:
    """A model and the way from its tokens' vectors to a text's, as the model's own files describe it."""

    kind = "encoder"

    def __init__(self, runtime: Runtime, found: FoundModel, placement: Placement) -> None:
        self._runtime = runtime
        self._setup = read_sentence_setup(found.directory)
        folder = self._setup.transformer
        self.tokenizer = load_tokenizer(folder)
        self._model = load_model(
            runtime, folder, "AutoModel", placement.dtype, placement.quantized, placement.device.name
        )
        self._device = placement.device.name
        self.max_tokens: Optional[int] = longest_text(self._model.config, self.tokenizer, self._setup.max_tokens)
        self.memory_bytes = memory_bytes(self._model)
        self.parameters = parameter_count(self._model)
        self.dimensions = int(self._model.config.hidden_size) * len(self._setup.pooling)

    def embed(
        self,
        texts: Sequence[str],
        *,
        truncate: bool,
        normalize: Optional[bool],
        batch_size: int,
        path: str,
        progress: Progress,
    ) -> Embeddings:
        """Return the vectors of texts.

        Parameters
        ----------
        texts
            Any number of them.
        truncate
            Whether of a text that is too long the beginning counts; else it is refused.
        normalize
            Whether vectors get length 1; None: as the model wants it.
        batch_size
            How many texts are computed together.
        path
            JSON pointer to ``texts`` in the request, for errors.
        progress
            Called before each batch with the number of texts that are done, and of all. What it raises ends the work.

        Raises
        ------
        pons.InvalidArgs
            Texts are too long and `truncate` is off.
        """
        torch = self._runtime.torch
        prepared = [self._setup.prompt + (text.lower() if self._setup.lower_case else text) for text in texts]
        counts = token_counts(self.tokenizer, prepared)
        if not truncate:
            refuse_too_long(counts, self.max_tokens, element_paths(path, texts))
        vectors = torch.zeros((len(prepared), self.dimensions), dtype=torch.float32)
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(prepared)), key=counts.__getitem__)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                progress(start, len(order))
                batch = order[start : start + batch_size]
                vectors[batch] = self._vectors([prepared[index] for index in batch]).cpu()
            if self._setup.normalize if normalize is None else normalize:
                vectors = torch.nn.functional.normalize(vectors, dim=1)
        limit = self.max_tokens
        return Embeddings(
            vectors=vectors.numpy(),
            truncated=texts_too_long(counts, limit),
            tokens=[count if limit is None else min(count, limit) for count in counts],
        )

    def close(self) -> None:
        """Give the memory back."""
        self._model = None
        self.memory_bytes = 0

    def _vectors(self, texts: List[str]) -> Any:
        encoded = self.tokenizer(
            texts,
            padding=True,
            padding_side="right",
            truncation=self.max_tokens is not None,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self._device)
        hidden = self._model(**encoded).last_hidden_state
        return pooling.pool(hidden, encoded["attention_mask"], self._setup.pooling)
