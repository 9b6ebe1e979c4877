"""What callers create, execute and delete: models, pipelines and tokenizers."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional

import pons

from text_models.answers import continuations_answer, embeddings_answer, progress_of, results_answer, tokens_answer
from text_models.encoder import Encoder
from text_models.faults import bad_argument
from text_models.library import Library, Loaded
from text_models.loading import load_tokenizer
from text_models.placement import place
from text_models.sampling import Sampling
from text_models.task_pipeline import TaskPipeline

Dtype = Literal["float32", "bfloat16", "float16"]
Task = Literal["feature-extraction", "fill-mask", "text-classification", "token-classification", "text-generation"]

MOST_TOGETHER = 1024


def checked_batch_size(batch_size: int, path: str) -> int:
    """Return a batch size that can be used; else raise ``invalid_args``."""
    if not 1 <= batch_size <= MOST_TOGETHER:
        raise bad_argument(path, f"{batch_size} is out of range", f"an integer from 1 to {MOST_TOGETHER}")
    return batch_size


def declare_resources(app: pons.App, library: Library) -> None:
    """Give an app its three types of resources."""

    @app.resource("model")
    class Model(Loaded):
        """A model for vectors of texts (task embed) or for continuing texts (task generate)."""

        def __init__(
            self,
            model: str,
            task: Optional[Literal["embed", "generate"]] = None,
            dtype: Dtype = "float32",
            device: Optional[str] = None,
            quantized: bool = False,
        ) -> None:
            """
            Parameters
            ----------
            model
                Its directory, or its name in the model cache or in a package.
            task
                What it is for; if not given, its own files say that.
            dtype
                The format of its numbers.
            device
                Where it is computed; if not given, the option device counts.
            quantized
                Whether linear layers get 8-bit weights: a quarter of the memory, less exact, on the cpu only.
            """
            super().__init__(library, model, task, place(library.runtime, dtype, device, quantized))

        def __call__(
            self,
            ctx: pons.Context,
            texts: List[str],
            truncate: Optional[bool] = None,
            batch_size: Optional[int] = None,
            normalize: Optional[bool] = None,
            sampling: Optional[Sampling] = None,
        ) -> Dict[str, Any]:
            """
            Parameters
            ----------
            texts
                One result for each.
            truncate
                Whether texts that are too long are cut, else refused; if not given, for vectors they are cut.
            batch_size
                How many texts are computed together; for vectors only, 32 if not given.
            normalize
                Whether vectors get length 1; if not given, as the model wants it.
            sampling
                How a continuation is chosen; for task generate only.
            """
            if isinstance(self.model, Encoder):
                if sampling is not None:
                    raise bad_argument("/inputs/sampling", "a model for vectors of texts chooses no tokens")
                embeddings = self.model.embed(
                    texts,
                    truncate=truncate is not False,
                    normalize=normalize,
                    batch_size=checked_batch_size(32 if batch_size is None else batch_size, "/inputs/batch_size"),
                    path="/inputs/texts",
                    progress=progress_of(ctx, "embedding"),
                )
                return embeddings_answer(embeddings)
            if normalize is not None or batch_size is not None:
                key = "batch_size" if normalize is None else "normalize"
                raise bad_argument(f"/inputs/{key}", "is only for models for vectors of texts")
            generator = self.generator("/resource_id")
            return continuations_answer(generator.generate(texts, sampling, truncate=truncate is True, path="/inputs"))

        def close(self) -> None:
            self.model.close()

    @app.resource("pipeline")
    class Pipeline(Loaded):
        """A model with what its task needs around it."""

        def __init__(
            self,
            task: Task,
            model: str,
            dtype: Dtype = "float32",
            device: Optional[str] = None,
            quantized: bool = False,
        ) -> None:
            """
            Parameters
            ----------
            task
                What it does.
            model
                Its directory, or its name in the model cache or in a package.
            dtype
                The format of its numbers.
            device
                Where it is computed; if not given, the option device counts.
            quantized
                Whether linear layers get 8-bit weights: a quarter of the memory, less exact, on the cpu only.
            """
            super().__init__(library, model, task, place(library.runtime, dtype, device, quantized))

        def __call__(
            self,
            ctx: pons.Context,
            texts: List[str],
            truncate: bool = False,
            batch_size: int = 32,
            top_k: Optional[int] = None,
            sampling: Optional[Sampling] = None,
        ) -> Dict[str, Any]:
            """
            Parameters
            ----------
            texts
                One result for each.
            truncate
                Whether texts that are too long are cut; else they are refused.
            batch_size
                How many texts are computed together.
            top_k
                How many answers for each text; for text-classification and fill-mask only.
            sampling
                How a continuation is chosen; for text-generation only.
            """
            if isinstance(self.model, TaskPipeline):
                if sampling is not None:
                    raise bad_argument("/inputs/sampling", f"{self.task} chooses no tokens")
                results = self.model.run(
                    texts,
                    truncate=truncate,
                    top_k=top_k,
                    batch_size=checked_batch_size(batch_size, "/inputs/batch_size"),
                    path="/inputs/texts",
                    progress=progress_of(ctx, self.task),
                )
                return results_answer(results)
            if top_k is not None:
                raise bad_argument("/inputs/top_k", "say it under sampling")
            generator = self.generator("/resource_id")
            return continuations_answer(generator.generate(texts, sampling, truncate=truncate, path="/inputs"))

        def close(self) -> None:
            self.model.close()

    @app.resource("tokenizer")
    class TokenizerResource:
        """A model's tokenizer alone, without its weights."""

        def __init__(self, model: str) -> None:
            """
            Parameters
            ----------
            model
                The directory of the model, or its name in the model cache or in a package.
            """
            self._found = library.lookup.find(model)
            self.tokenizer = load_tokenizer(self._found.directory)

        def __call__(self, texts: List[str], special_tokens: bool = True) -> Dict[str, Any]:
            """
            Parameters
            ----------
            texts
                One list of tokens for each.
            special_tokens
                Whether those that the model adds by itself are among them.
            """
            return tokens_answer(self.tokenizer, texts, special_tokens)

        def describe(self) -> Dict[str, Any]:
            return {
                "model": self._found.name,
                "directory": str(self._found.directory),
                "vocabulary": len(self.tokenizer),
                "memory_bytes": 0,
            }
