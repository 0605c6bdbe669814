"""Which Mitsuba variant this machine can run, and where LLVM's shared library lies."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from syngrasp.errors import MissingExtra, SyngraspError

VARIANTS = {"cuda": "cuda_ad_rgb", "llvm": "llvm_ad_rgb", "scalar": "scalar_rgb"}
OLDEST_LLVM = 17
"""Dr.Jit 1.5 takes a library from version 17 on; with 15 and 16 its kernels fail."""

PLACES = ("/usr/lib/*/libLLVM*.so*", "/usr/lib/llvm-*/lib/libLLVM*.so*", "/usr/lib64/libLLVM*.so*",
          "/usr/local/lib/libLLVM*.so*", "/opt/homebrew/opt/llvm/lib/libLLVM*.dylib")  # fmt: skip
OWN_PLACE = Path(sys.prefix) / "lib" / "syngrasp-llvm"
"""Filled by `make photoreal`: LLVM and what it links to, unpacked from the system's packages without being root."""


class VariantError(SyngraspError):
    """A Mitsuba variant that this machine cannot run."""

    def __init__(self, variant: str, problem: str) -> None:
        super().__init__(
            f"render.mitsuba.variant {variant!r}: {problem}; valid: auto, or one of {', '.join(sorted(VARIANTS))} "
            "that this machine has"
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """What was taken, and why."""

    name: str  # Mitsuba's name
    reason: str  # one clause
    library: str  # LLVM's, empty for other variants

    @property
    def kind(self) -> str:
        """cuda, llvm or scalar."""
        return next(kind for kind, name in VARIANTS.items() if name == self.name)


def start_mitsuba(wanted: str, threads: int) -> Variant:
    """Chooses a variant for this process and starts it on so many CPU threads.

    `wanted` is auto (cuda where there is a GPU, else llvm where its library is found, else scalar) or a variant's kind.
    Raises `MissingExtra` without Mitsuba, `VariantError` for a variant that cannot run here.
    """
    mitsuba, variant = import_mitsuba(), _choose(wanted)
    try:
        mitsuba.set_variant(variant.name)
        import drjit

        if variant.kind != "scalar":
            drjit.set_thread_count(threads)
            drjit.eval(mitsuba.Float(0.0) + drjit.opaque(mitsuba.Float, 1.0))
    except (ImportError, RuntimeError) as error:
        raise VariantError(wanted, f"{variant.name} does not start ({str(error).strip().splitlines()[0]})") from error
    return variant


def import_mitsuba() -> ModuleType:
    """The module. Dr.Jit looks for LLVM as it is imported, so it is told before. Raises `MissingExtra`."""
    library = find_llvm()
    if library is not None and "drjit" not in sys.modules:
        os.environ["DRJIT_LIBLLVM_PATH"] = str(library)
        _load_neighbours(library)
    try:
        import mitsuba
    except ImportError as error:
        raise MissingExtra("Mitsuba", "photoreal") from error
    return mitsuba


def _choose(wanted: str) -> Variant:
    if wanted not in ("auto", *VARIANTS):
        raise VariantError(wanted, "there is no such variant")
    if wanted in ("auto", "cuda"):
        if _has_gpu():
            return Variant(VARIANTS["cuda"], "a CUDA driver with a device is present", "")
        if wanted == "cuda":
            raise VariantError(wanted, "no CUDA device is present")
    if wanted in ("auto", "llvm"):
        library, why = find_llvm(), f"no libLLVM ≥ {OLDEST_LLVM} found; run: make photoreal, or set DRJIT_LIBLLVM_PATH"
        if library is not None:
            loaded = _loaded_llvm()
            if loaded >= OLDEST_LLVM:
                return Variant(VARIANTS["llvm"], f"LLVM is at {library}", str(library))
            why = f"drjit was imported before and took LLVM {loaded}; set DRJIT_LIBLLVM_PATH={library}"
        if wanted == "llvm":
            raise VariantError(wanted, why)
        return Variant(VARIANTS["scalar"], f"no CUDA device, and {why}", "")
    return Variant(VARIANTS["scalar"], "asked for", "")


def _loaded_llvm() -> int:
    """Major version of the library that Dr.Jit has taken, 0 for none."""
    import drjit

    version: tuple[int, ...] = drjit.detail.llvm_version()
    return version[0]


def _has_gpu() -> bool:
    """Whether the CUDA driver is there and counts a device."""
    with contextlib.suppress(OSError):
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return False


def find_llvm() -> Path | None:
    """LLVM's shared library: $DRJIT_LIBLLVM_PATH, then the newest in the system's places, then OWN_PLACE."""
    named = os.environ.get("DRJIT_LIBLLVM_PATH")
    if named and Path(named).is_file():
        return Path(named)
    for found in (_system_libraries(), _libraries(OWN_PLACE, "**/libLLVM*.so*")):
        best = max(found, default=None, key=lambda pair: pair[0])
        if best is not None:
            return best[1]
    return None


def _system_libraries() -> Iterator[tuple[int, Path]]:
    for pattern in PLACES:
        yield from _libraries(Path("/"), pattern.removeprefix("/"))


def _libraries(folder: Path, pattern: str) -> Iterator[tuple[int, Path]]:
    """Versions and paths of the libraries that are new enough. A name is libLLVM.so.19.1, libLLVM-19.so or alike."""
    for path in sorted(folder.glob(pattern)):
        version = re.search(r"libLLVM(?:-|\.so\.|\.)(\d+)", path.name)
        if version and int(version[1]) >= OLDEST_LLVM and path.is_file():
            yield int(version[1]), path


def _load_neighbours(library: Path) -> None:
    """Loads what LLVM links to from its own folder: the system's loader does not look there."""
    if OWN_PLACE not in library.parents and not (library.parent / "libz3.so.4").is_file():
        return
    waiting = [path for path in library.parent.glob("lib*.so.*") if not path.name.startswith("libLLVM")]
    for _ in range(len(waiting)):
        for path in list(waiting):
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                waiting.remove(path)
