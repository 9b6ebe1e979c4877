"""The worker's commands."""

from __future__ import annotations

from importlib import metadata
from typing import Any, Dict, Generator, List, Optional

import pons

from text_models.answers import embeddings_answer, progress_of, tokens_answer
from text_models.encoder import Embeddings
from text_models.faults import bad_argument
from text_models.library import Library, Loaded
from text_models.resources import checked_batch_size, declare_resources
from text_models.sampling import Continuation, Piece, Sampling

VERSION = "1.0"


def build_app() -> pons.App:
    """Return the worker's app, with a library of its own."""
    library = Library()
    app = pons.App("transformers", version=VERSION)
    declare_resources(app, library)

    def holder(resource_id: Optional[str], model: Optional[str]) -> Any:
        """Return what a request means: a resource, or a model that every worker has loaded."""
        if (resource_id is None) == (model is None):
            raise bad_argument("/resource_id", "give either resource_id or model", "the id of a resource")
        if resource_id is not None:
            return app.resources.of(resource_id).get(resource_id)
        if model not in library.preloaded:
            names = ", ".join(sorted(library.preloaded)) or "none"
            raise bad_argument(
                "/model", f"{model} is not under the option preload ({names}): name it there, or use create_model"
            )
        return library.preloaded[model]

    def loaded(resource_id: Optional[str], model: Optional[str]) -> Loaded:
        held = holder(resource_id, model)
        if not isinstance(held, Loaded):
            raise bad_argument("/resource_id", f"{resource_id} is a tokenizer alone", "the id of a model")
        return held

    @app.on_start
    def start() -> None:
        library.configure(app.options)

    @app.command(idempotent=True)
    def embed(
        ctx: pons.Context,
        texts: List[str],
        resource_id: Optional[str] = None,
        model: Optional[str] = None,
        truncate: bool = True,
        normalize: Optional[bool] = None,
        batch_size: int = 32,
    ) -> Dict[str, Any]:
        """The vectors of texts.

        Parameters
        ----------
        texts
            One vector for each.
        resource_id
            Of a model that was created for this task.
        model
            Instead of resource_id: a name of the option preload.
        truncate
            Whether of a text that is too long its beginning counts; else it is refused.
        normalize
            Whether vectors get length 1; if not given, as the model wants it.
        batch_size
            How many texts are computed together.
        """
        encoder = loaded(resource_id, model).encoder("/resource_id")
        return embeddings_answer(
            encoder.embed(
                texts,
                truncate=truncate,
                normalize=normalize,
                batch_size=checked_batch_size(batch_size, "/batch_size"),
                path="/texts",
                progress=progress_of(ctx, "embedding"),
            )
        )

    @app.command(idempotent=True)
    def similarity(
        ctx: pons.Context,
        texts: List[str],
        others: Optional[List[str]] = None,
        resource_id: Optional[str] = None,
        model: Optional[str] = None,
        truncate: bool = True,
        batch_size: int = 32,
    ) -> Dict[str, Any]:
        """How alike texts are: the cosine of the angle between their vectors, from -1 to 1.

        Parameters
        ----------
        texts
            One row of the result for each.
        others
            One column for each; if not given, the texts themselves.
        resource_id
            Of a model that was created for the task embed.
        model
            Instead of resource_id: a name of the option preload.
        truncate
            Whether of a text that is too long its beginning counts; else it is refused.
        batch_size
            How many texts are computed together.
        """
        encoder = loaded(resource_id, model).encoder("/resource_id")
        size = checked_batch_size(batch_size, "/batch_size")

        def unit_vectors(of: List[str], path: str) -> Embeddings:
            progress = progress_of(ctx, "embedding")
            return encoder.embed(of, truncate=truncate, normalize=True, batch_size=size, path=path, progress=progress)

        rows = unit_vectors(texts, "/texts")
        columns = rows if others is None else unit_vectors(others, "/others")
        return {
            "similarity": (rows.vectors @ columns.vectors.T).clip(-1, 1),
            "truncated": rows.truncated,
            "others_truncated": columns.truncated,
        }

    @app.command(idempotent=True)
    def tokenize(
        texts: List[str], resource_id: Optional[str] = None, model: Optional[str] = None, special_tokens: bool = True
    ) -> Dict[str, Any]:
        """The tokens of texts, all of them, however long the text is.

        Parameters
        ----------
        texts
            One list of tokens for each.
        resource_id
            Of a model, pipeline or tokenizer.
        model
            Instead of resource_id: a name of the option preload.
        special_tokens
            Whether those that the model adds by itself are among them.
        """
        held = holder(resource_id, model)
        tokenizer = held.model.tokenizer if isinstance(held, Loaded) else held.tokenizer
        return tokens_answer(tokenizer, texts, special_tokens)

    @app.command
    def generate(
        prompt: str,
        resource_id: Optional[str] = None,
        model: Optional[str] = None,
        sampling: Optional[Sampling] = None,
        truncate: bool = False,
    ) -> Generator[Piece, None, Continuation]:
        """Continues a text, piece by piece where the caller streams; cancelled, it stops at the next token.

        Parameters
        ----------
        prompt
            What is continued.
        resource_id
            Of a model created for the task generate, or of a pipeline for text-generation.
        model
            Instead of resource_id: a name of the option preload.
        sampling
            How the next token is chosen.
        truncate
            Whether of a prompt that is too long its end counts; else it is refused.
        """
        generator = loaded(resource_id, model).generator("/resource_id")
        return (yield from generator.stream(prompt, sampling, truncate=truncate, path=""))

    @app.command(idempotent=True)
    def available_models() -> Dict[str, Any]:
        """The models that create_model takes by name, and where they are."""
        return {"models": library.lookup.available(), "model_cache_dir": str(library.settings.model_cache_dir)}

    @app.on_info
    def info() -> Dict[str, Any]:
        version = metadata.version("transformers")
        return {
            "framework": "Transformers",
            "framework_version": version,
            "preloaded": sorted(library.preloaded),
            **library.runtime.info(),
        }

    @app.on_stats
    def stats() -> Dict[str, Any]:
        held = {
            entry["resource_id"]: entry["memory_bytes"]
            for kind in app.resources.names
            for entry in app.resources[kind].list()
        }
        shared = {name: entry.model.memory_bytes for name, entry in library.preloaded.items()}
        return {
            "model_memory_bytes": sum(held.values()) + sum(shared.values()),
            "resource_memory": held,
            "preloaded_memory": shared,
        }

    return app
