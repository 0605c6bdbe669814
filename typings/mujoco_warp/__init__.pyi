# The package's names come from compiled modules that a type checker cannot see into.
from typing import Any

def __getattr__(name: str) -> Any: ...
