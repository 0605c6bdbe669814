"""Random streams that depend on what is drawn, never on who draws it or when."""

from __future__ import annotations

import zlib

import numpy as np


def rng(seed: int, stage: str, shard: int, episode: int, attempt: int) -> np.random.Generator:
    """The random stream of one stage of one attempt at one slot.

    Identifiers go into `spawn_key`: in the entropy list [s] and [s, 0] would be the same stream.
    """
    key = (zlib.crc32(stage.encode()), shard, episode, attempt)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def named_rng(seed: int, *names: str | int) -> np.random.Generator:
    """The random stream of a thing that has no slot, such as a catalog object, by its names."""
    key = tuple(n if isinstance(n, int) else zlib.crc32(n.encode()) for n in names)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))
