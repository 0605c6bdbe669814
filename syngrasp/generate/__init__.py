"""Slots, attempts, and the in-process executor; Ray's driver in `workers` shares the slot logic."""

from syngrasp.generate.run import Run, default_executor, execute, generate, prepare

__all__ = ["Run", "default_executor", "execute", "generate", "prepare"]
