"""Tasks that Transformers' own pipelines do: classifying texts and tokens, filling gaps, the vectors of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

from text_models.faults import bad_argument
from text_models.loading import load_model, load_tokenizer
from text_models.lookup import FoundModel
from text_models.placement import Placement
from text_models.runtime import Runtime, memory_bytes, parameter_count
from text_models.text_limit import cut_texts, element_paths, longest_text, refuse_too_long, token_counts

Progress = Callable[[int, int], None]

# The task, and the class of Transformers that chooses the model's class for it.
TASKS: Dict[str, str] = {
    "feature-extraction": "AutoModel",
    "fill-mask": "AutoModelForMaskedLM",
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
}


@dataclass(frozen=True)
class TaskResults:
    """What `TaskPipeline.run` returns.

    Attributes
    ----------
    results
        One for each text, in JSON's types; their shape depends on the task.
    truncated
        Indices of the texts that were cut.
    """

    results: List[Any]
    truncated: List[int]


class TaskPipeline:
    """A model with the head that its task needs."""

    kind = "pipeline"

    def __init__(self, runtime: Runtime, found: FoundModel, placement: Placement, task: str) -> None:
        from transformers import pipeline

        self._runtime = runtime
        self.task = task
        self.tokenizer = load_tokenizer(found.directory)
        self.tokenizer.padding_side = "right"
        model = load_model(
            runtime, found.directory, TASKS[task], placement.dtype, placement.quantized, placement.device.name
        )
        self.max_tokens: Optional[int] = longest_text(model.config, self.tokenizer)
        self.memory_bytes = memory_bytes(model)
        self.parameters = parameter_count(model)
        self._pipeline: Any = pipeline(task, model=model, tokenizer=self.tokenizer, device=placement.device.name)

    def run(
        self,
        texts: Sequence[str],
        *,
        truncate: bool,
        top_k: Optional[int],
        batch_size: int,
        path: str,
        progress: Progress,
    ) -> TaskResults:
        """Return the results for texts.

        Parameters
        ----------
        truncate
            Whether texts that are too long are cut; else they are refused.
        top_k
            How many answers for each text, the best first; for text-classification (1 unless given) and fill-mask (5).
        batch_size
            How many texts are computed together.
        path
            JSON pointer to ``texts`` in the request, for errors.
        progress
            Called before each batch with the number of texts that are done, and of all. What it raises ends the work.

        Raises
        ------
        pons.InvalidArgs
            A text is too long, or has nothing to fill in, or `top_k` has no meaning here.
        """
        options: Dict[str, Any] = {}
        if top_k is not None:
            if self.task not in ("text-classification", "fill-mask"):
                raise bad_argument("/inputs/top_k", f"{self.task} has no top_k")
            options["top_k"] = top_k
        kept, cut = self._held_to_limit(texts, truncate, path)
        if self.task == "fill-mask":
            self._refuse_without_mask(kept, path)
        results: List[Any] = []
        with self._runtime.torch.inference_mode():
            for start in range(0, len(kept), batch_size):
                progress(start, len(kept))
                batch = kept[start : start + batch_size]
                results.extend(self._results(batch, options))
        return TaskResults(_plain(results), cut)

    def close(self) -> None:
        """Give the memory back."""
        self._pipeline = None
        self.memory_bytes = 0

    def _held_to_limit(self, texts: Sequence[str], truncate: bool, path: str) -> Any:
        paths = element_paths(path, texts)
        if truncate:
            return cut_texts(self.tokenizer, texts, self.max_tokens, paths)
        refuse_too_long(token_counts(self.tokenizer, texts), self.max_tokens, paths)
        return list(texts), []

    def _refuse_without_mask(self, texts: Sequence[str], path: str) -> None:
        mask = self.tokenizer.mask_token
        for index, text in enumerate(texts):
            if mask not in text:
                raise bad_argument(
                    f"{path}/{index}", f"nothing to fill in: the text has no {mask}", f"a text with {mask}"
                )

    def _results(self, batch: List[str], options: Dict[str, Any]) -> List[Any]:
        results: List[Any] = self._pipeline(batch, batch_size=len(batch), **options)
        if self.task == "fill-mask" and len(batch) == 1:
            return [results]  # of a list of one text this pipeline returns the one result, not a list of it
        if self.task == "feature-extraction":
            # Each text's vectors come as a batch of one, with those of the padding behind them.
            counts = token_counts(self.tokenizer, batch)
            return [result[0][:count] for result, count in zip(results, counts)]
        return results


def _plain(value: Any) -> Any:
    """Return a value in JSON's types: the pipelines mix in NumPy's numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
