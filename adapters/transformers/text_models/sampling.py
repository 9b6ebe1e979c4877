"""How a language model's next token is chosen, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from text_models.faults import bad_argument


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen, and how many of them.

    Attributes
    ----------
    max_new_tokens
        At most so many tokens are added.
    temperature
        0: always the likeliest token. Else probabilities are taken to the power 1/temperature.
    top_p, top_k
        Only the likeliest tokens that make up `top_p` of the probability, and at most `top_k` of them (0: all).
    seed
        For the same choice again; None: a new one each time.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: Optional[int] = None

    def check(self, path: str) -> None:
        """Look whether this makes sense.

        Parameters
        ----------
        path
            JSON pointer to the place in the request where these stand.

        Raises
        ------
        pons.InvalidArgs
            A number is out of its range.
        """
        if self.max_new_tokens < 1:
            raise bad_argument(
                f"{path}/max_new_tokens", f"{self.max_new_tokens} is too few", "an integer of at least 1"
            )
        if not 0 <= self.temperature <= 100:
            raise bad_argument(f"{path}/temperature", f"{self.temperature} is out of range", "a number from 0 to 100")
        if not 0 < self.top_p <= 1:
            raise bad_argument(f"{path}/top_p", f"{self.top_p} is out of range", "a number above 0, at most 1")
        if self.top_k < 0:
            raise bad_argument(f"{path}/top_k", f"{self.top_k} is negative", "an integer of at least 0")
        if self.seed is not None and not 0 <= self.seed < 1 << 63:
            raise bad_argument(f"{path}/seed", f"{self.seed} is out of range", "an integer from 0 to 2^63-1")


@dataclass(frozen=True)
class Piece:
    """A few characters of a continuation, whole words as a rule.

    Attributes
    ----------
    text
        What follows the piece before.
    """

    text: str


@dataclass(frozen=True)
class Continuation:
    """What was added to a text.

    Attributes
    ----------
    text
        Without the prompt.
    tokens
        How many tokens it has.
    finish
        ``end``: the model ended it; ``length``: it has `max_new_tokens`.
    """

    text: str
    tokens: int
    finish: str
