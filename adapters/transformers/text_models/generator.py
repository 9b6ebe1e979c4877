"""A language model: continues texts, all at once or piece by piece."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Callable, Dict, List, Optional, Sequence
from typing import Generator as TypingGenerator

from text_models.faults import bad_argument, model_fault
from text_models.loading import load_model, load_tokenizer
from text_models.lookup import FoundModel
from text_models.placement import Placement
from text_models.runtime import Runtime, memory_bytes, parameter_count
from text_models.sampling import Continuation, Piece, Sampling
from text_models.text_limit import element_paths, longest_text, refuse_too_long, token_counts


class Generator:
    """A causal language model."""

    kind = "generator"

    def __init__(self, runtime: Runtime, found: FoundModel, placement: Placement) -> None:
        self._runtime = runtime
        self.tokenizer = load_tokenizer(found.directory)
        self._model = load_model(
            runtime,
            found.directory,
            "AutoModelForCausalLM",
            placement.dtype,
            placement.quantized,
            placement.device.name,
        )
        self._device = placement.device.name
        if self.tokenizer.pad_token_id is None:
            if self.tokenizer.eos_token is None:
                raise model_fault(
                    "its tokenizer has neither a token for padding nor one for the end", file=str(found.directory)
                )
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.tokenizer.truncation_side = "left"  # what stands next to the continuation counts
        self.max_tokens: Optional[int] = longest_text(self._model.config, self.tokenizer)
        self.memory_bytes = memory_bytes(self._model)
        self.parameters = parameter_count(self._model)

    def generate(
        self, prompts: Sequence[str], sampling: Optional[Sampling], *, truncate: bool, path: str
    ) -> List[Continuation]:
        """Return a continuation of each prompt; all are computed together.

        Parameters
        ----------
        truncate
            Whether of a prompt that is too long the end counts; else it is refused.
        path
            JSON pointer to the map in the request where ``texts`` and ``sampling`` stand, for errors.

        Raises
        ------
        pons.InvalidArgs
            A prompt is empty, or leaves no room for `max_new_tokens`.
        """
        if not prompts:
            return []
        sampling = sampling or Sampling()
        encoded = self._encode(prompts, element_paths(path + "/texts", prompts), sampling, truncate, path)
        with closing(_Generation(self._compute, encoded, sampling, streamer=None)) as generation:
            return self._continuations(generation.result(), encoded, sampling)

    def stream(
        self, prompt: str, sampling: Optional[Sampling], *, truncate: bool, path: str
    ) -> TypingGenerator[Piece, None, Continuation]:
        """Yield what is added to a prompt, piece by piece, and return the `Continuation`. Otherwise as `generate`.

        In the request the prompt is ``prompt``, beside ``sampling``.

        When this is closed, or something is raised in the one who iterates, the computation stops at its next token,
        and has ended before this returns.
        """
        from transformers import TextIteratorStreamer

        sampling = sampling or Sampling()
        encoded = self._encode([prompt], [path + "/prompt"], sampling, truncate, path)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        with closing(_Generation(self._compute, encoded, sampling, streamer)) as generation:
            for piece in streamer:
                if piece:
                    yield Piece(piece)
            return self._continuations(generation.result(), encoded, sampling)[0]

    def close(self) -> None:
        """Give the memory back."""
        self._model = None
        self.memory_bytes = 0

    def _encode(
        self, prompts: Sequence[str], paths: Sequence[str], sampling: Sampling, truncate: bool, path: str
    ) -> Any:
        sampling.check(path + "/sampling")
        room = None if self.max_tokens is None else self.max_tokens - sampling.max_new_tokens
        if room is not None and room < 1:
            raise bad_argument(
                path + "/sampling/max_new_tokens",
                f"{sampling.max_new_tokens} leaves no room for a prompt: the model takes {self.max_tokens} in all",
            )
        counts = token_counts(self.tokenizer, prompts)
        for index, count in enumerate(counts):
            if count == 0:
                raise bad_argument(paths[index], "the prompt is empty", "a text of at least one token")
        if not truncate:
            refuse_too_long(counts, room, paths)
        return self.tokenizer(
            list(prompts),
            padding=True,
            padding_side="left",
            truncation=room is not None,
            max_length=room,
            return_tensors="pt",
            return_token_type_ids=False,
        ).to(self._device)

    def _compute(self, encoded: Any, sampling: Sampling, stop: threading.Event, streamer: Any) -> Any:
        """Return the tokens of prompts and continuations, (prompts, tokens); ends early when `stop` is set."""
        torch = self._runtime.torch
        from transformers import StoppingCriteriaList

        def stopped(input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.full((len(input_ids),), stop.is_set(), dtype=torch.bool, device=input_ids.device)

        choice: Dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if sampling.temperature > 0:
            choice = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
            }
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with torch.inference_mode():
            return self._model.generate(
                **encoded,
                max_new_tokens=sampling.max_new_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                stopping_criteria=StoppingCriteriaList([stopped]),
                streamer=streamer,
                **choice,
            )

    def _continuations(self, rows: Any, encoded: Any, sampling: Sampling) -> List[Continuation]:
        end = self._model.generation_config.eos_token_id
        ends = {self.tokenizer.pad_token_id, *(end if isinstance(end, list) else [end])}
        result = []
        for row in rows[:, encoded["input_ids"].shape[1] :].tolist():
            length = next((index for index, token in enumerate(row) if token in ends), len(row))
            text = self.tokenizer.decode(row[:length], skip_special_tokens=True)
            full = length == sampling.max_new_tokens
            result.append(Continuation(text=text, tokens=length, finish="length" if full else "end"))
        return result


class _Generation:
    """A computation in a thread of its own, which has ended when this is closed.

    So the main thread waits in Python, where a cancelled request is interrupted, and not in PyTorch.
    """

    def __init__(self, compute: Callable[..., Any], encoded: Any, sampling: Sampling, streamer: Any) -> None:
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._future = self._executor.submit(compute, encoded, sampling, self._stop, streamer)
        if streamer is not None:
            # Also after an error, of which the streamer knows nothing.
            self._future.add_done_callback(lambda _: streamer.text_queue.put(streamer.stop_signal))

    def result(self) -> Any:
        """Wait for the result, and return it or raise what the computation raised."""
        return self._future.result()

    def close(self) -> None:
        """Stop it at its next token, and wait for that."""
        self._stop.set()
        self._executor.shutdown()
