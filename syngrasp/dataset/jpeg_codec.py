"""The Zarr v3 codec `syngrasp.jpeg`, so that plain `zarr.open_group` decodes the images of a shard.

Found by zarr through the entry point group `zarr.codecs`; importing this module registers it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from zarr.abc.codec import ArrayBytesCodec
from zarr.core.common import parse_named_configuration
from zarr.registry import register_codec

from syngrasp.dataset import jpeg

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "syngrasp.jpeg"


@dataclass(frozen=True)
class JpegCodec(ArrayBytesCodec):
    """Chunks (…, H, W, 3) uint8, RGB, as JPEGs of one quality in 1…100."""

    is_fixed_size = False

    quality: int = jpeg.QUALITY

    def __post_init__(self) -> None:
        if not isinstance(self.quality, int) or not 1 <= self.quality <= 100:
            raise ValueError(f"{NAME}: quality {self.quality!r} is not an integer in 1…100")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec of a `zarr.json`."""
        _, configuration = parse_named_configuration(data, NAME, require_configuration=False)
        return cls(**(configuration or {}))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """What `zarr.json` says of the codec."""
        return {"name": NAME, "configuration": {"quality": self.quality}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raises ValueError for arrays that are not pictures."""
        if len(shape) < 3 or shape[-1] != 3 or dtype.to_native_dtype() != "uint8":
            raise ValueError(f"{NAME}: needs uint8 of shape (…, H, W, 3), not {dtype} of shape {shape}")

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Raises ValueError: the size is not known before encoding."""
        raise ValueError(f"{NAME}: the encoded size depends on the pictures")

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        encoded: Any = chunk_bytes.as_numpy_array()
        decoded = jpeg.decode(memoryview(encoded), chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(decoded)  # type: ignore[arg-type]

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        encoded = jpeg.encode(chunk_array.as_numpy_array(), self.quality)
        return chunk_spec.prototype.buffer.from_bytes(encoded)


register_codec(NAME, JpegCodec)
