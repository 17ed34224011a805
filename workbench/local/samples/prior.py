"""What the sample sentences say about the order of tokens, as small matrices: the knowledge put into the sample models.

The tables of pointwise mutual information between a token and the ones that follow one, two and three places later are
far too big for a tiny model (V × V). So each token gets a short code as it stands in the input and one as it is
predicted, and three small matrices between the two kinds of codes stand for the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]


# How strongly the tokens one, two and three places back speak about the next one. Least squares shrinks towards zero,
# hence above one; chosen by the likelihood of the sentences (nats a token: 5.2 by frequency alone, 2.6 with these).
VOICES = (2.0, 1.5, 1.0)
# The share of chance in a token's code, against 1 for its use.
CHANCE = 0.8
RIDGE = 0.01


@dataclass(frozen=True)
class Prior:
    """What the sentences say about token order.

    Attributes:
        unigram: (V,) log frequency, centred.
        now: (V, d) unit codes of tokens as they stand in the input.
        next: (V, d) codes of tokens as they are predicted.
        maps: three (d, d) matrices; `now[t] @ maps[k] @ next[j]` is how much a token t, k places back, favours j
            after the present place. Summed over k, `now[t] @ maps[k]` has a usual length of 1.
    """

    unigram: Array
    now: Array
    next: Array
    maps: tuple[Array, ...]


def prior(sequences: Sequence[Sequence[int]], words: Sequence[str], width: int, seed: int) -> Prior:
    """Fit a `Prior` with codes of `width` to tokenised sentences; `words[t]` is token t without blank and case.

    Tokens that are one word ("Seven", " seven") share the chance part of their codes, so that one stands for the other.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    tokens = np.fromiter(chain.from_iterable(sequences), dtype=np.int64)
    owner = np.repeat(np.arange(len(sequences)), [len(ids) for ids in sequences])
    counts = np.bincount(tokens, minlength=len(words))
    frequency = (counts + 0.05) / (counts + 0.05).sum()
    tables = [_information(tokens, owner, frequency, offset) for offset in (1, 2, 3)]
    # Errors count as often as they are met.
    weight = np.sqrt(frequency)[:, None]
    left, strength = _leading(weight * tables[0] * weight.T, width, rng)
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    chance = rng.standard_normal((len(numbers), width))[[numbers[word] for word in words]]
    # Part use, part chance: tokens of like use stay near, and yet each can be told from the others.
    now = _unit(_unit(left / weight * np.sqrt(strength)) + CHANCE * _unit(chance))
    inverse = _solver(now, frequency)
    following = (inverse @ tables[0]).T
    back = _solver(following, frequency).T
    maps = tuple(voice * inverse @ table @ back for voice, table in zip(VOICES, tables, strict=True))
    size = _usual_length(tokens, now, maps)
    unigram = np.log(frequency)
    return Prior(unigram - unigram.mean(), now, following * size, tuple(matrix / size for matrix in maps))


def _solver(rows: Array, frequency: Array) -> Array:
    """(d, V): weighted ridge regression on `rows` (V, d) as a matrix to multiply targets by."""
    import numpy as np

    weighted = (rows * frequency[:, None]).T
    gram = weighted @ rows
    return np.asarray(np.linalg.solve(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), weighted))


def _usual_length(tokens: Array, now: Array, maps: Sequence[Array]) -> float:
    """Root mean square length of a prediction, over the sentences."""
    import numpy as np

    prediction = sum(now[tokens[3 - back : len(tokens) - back]] @ matrix for back, matrix in enumerate(maps))
    return float(np.sqrt((np.asarray(prediction) ** 2).sum(axis=1).mean()))


def _information(tokens: Array, owner: Array, frequency: Array, offset: int) -> Array:
    """(V, V) positive pointwise mutual information between a token and the one `offset` places later.

    `owner` says which sentence each token belongs to: pairs do not reach across.
    """
    import numpy as np

    size = len(frequency)
    together = owner[:-offset] == owner[offset:]
    first, then = tokens[:-offset][together], tokens[offset:][together]
    table = np.bincount(first * size + then, minlength=size * size).reshape(size, size).astype(np.float64)
    smoothing = 1.0
    seen = table.sum(axis=1, keepdims=True)
    ratio = (table / frequency + smoothing) / (seen + smoothing)
    return np.asarray(np.maximum(np.log(ratio), 0.0) * (table > 0))


def _leading(matrix: Array, rank: int, rng: Any) -> tuple[Array, Array]:
    """The leading left singular vectors and values by subspace iteration.

    Exact enough here, and many times faster than a full decomposition.
    """
    import numpy as np

    basis = rng.standard_normal((matrix.shape[1], rank + 16))
    for _ in range(4):
        basis = _orthonormal(matrix.T @ (matrix @ basis))
    image = matrix @ basis
    squared, turn = np.linalg.eigh(image.T @ image)
    order = np.argsort(squared)[::-1][:rank]
    strength = np.sqrt(squared[order])
    left = image @ turn[:, order] / strength
    # A singular vector's sign is free: fix it.
    return left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)]), strength


def _orthonormal(columns: Array) -> Array:
    """An orthonormal basis of the columns' span, by the small Gram matrix: numpy's QR is slow for tall matrices."""
    import numpy as np

    squared, turn = np.linalg.eigh(columns.T @ columns)
    return np.asarray(columns @ (turn / np.sqrt(np.maximum(squared, 1e-12 * squared[-1]))))


def _unit(rows: Array) -> Array:
    import numpy as np

    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
