"""Options of path tracing. Light to import: recipes are read without Mitsuba."""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MitsubaConfig(BaseModel):
    """Quality against time of path tracing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Literal["auto", "llvm", "scalar", "cuda"] = Field(
        "auto", description="auto: CUDA with a GPU, else LLVM where its library is found, else scalar"
    )
    spp: int = Field(4, ge=1, le=256, description="samples per pixel where something moves or its light changes")
    still_spp: int = Field(32, ge=1, le=65536, description="samples per pixel of the still scenery, once an episode")
    max_depth: int = Field(6, ge=2, le=64, description="surfaces that a path of light meets at most")
    denoise: Literal["off", "fast", "balanced", "high"] = Field("fast", description="of frames; the scenery takes high")
    threads: int = Field(1, ge=1, le=256, description="CPU threads of this process")
