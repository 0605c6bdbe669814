"""A catalog on disk: prepared objects, each in one file, and a list of them.

    CATALOG/catalog.json          schema_version, hash, entries (each with the digest of its arrays)
            objects/<uid>.npz     the arrays of one `ObjectModel`; its texture as PNG or JPEG bytes

`catalog.json` is written last and replaced atomically, as is each object's file: a reader sees a whole catalog
or none. The hash covers every entry and every array, sorted by uid, so it does not depend on the order of building.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import CatalogError, StorageError
from syngrasp.records import GraspSet, ObjectEntry, ObjectModel, SdfGrid, VisualMesh

SCHEMA_VERSION = 1
LOSSLESS_BYTES = 200_000  # a texture whose PNG is larger is kept as JPEG


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a catalog's list holds of an object: its entry and the digest of its arrays."""

    entry: ObjectEntry
    digest: str


class Catalog:
    """A catalog opened for reading. Opening reads the list only; objects are read when asked for.

    Args:
        path: the catalog's folder.
        entries: its objects, sorted by uid.
        hash: of the content of all objects.
        cached: how many loaded objects are kept.
    """

    def __init__(self, path: str, entries: tuple[ObjectEntry, ...], hash: str, cached: int = 128) -> None:
        self.path = path
        self.entries = entries
        self.hash = hash
        self._cached = cached
        self._by_uid = {entry.uid: entry for entry in entries}
        self._models: OrderedDict[str, ObjectModel] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str], cached: int = 128) -> Catalog:
        """Opens a catalog; CatalogError when it is missing, unreadable, empty or of another version.

        The stages of one process share a catalog that did not change, and so the objects it has loaded.
        """
        path = os.fspath(path)
        try:
            listing = os.stat(Path(path) / "catalog.json")
            version = (listing.st_mtime_ns, listing.st_size, listing.st_ino)
        except OSError:
            version = (0, 0, 0)  # reading it says what is wrong
        return _open(path, version, cached)

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, uid: str) -> ObjectEntry:
        """The entry of an object; CatalogError when the catalog has none of that uid."""
        if uid not in self._by_uid:
            raise CatalogError(self.path, f"has no object {uid!r}; syngrasp assets list {self.path} shows all")
        return self._by_uid[uid]

    def load(self, uid: str) -> ObjectModel:
        """An object with its arrays, from memory if it was among the last ones loaded."""
        entry = self.entry(uid)
        with self._lock:
            if uid in self._models:
                self._models.move_to_end(uid)
                return self._models[uid]
        model = read_object(object_path(self.path, uid), entry)
        with self._lock:
            self._models[uid] = model
            while len(self._models) > self._cached:
                self._models.popitem(last=False)
        return model


@lru_cache(maxsize=8)
def _open(path: str, version: tuple[int, ...], cached: int) -> Catalog:
    """`version` tells a rewritten list from the one that was read before."""
    listing = _read_listing(path)
    if not listing["entries"]:
        raise CatalogError(path, "has no objects; see rejected.json in it for the reasons")
    entries = tuple(_entry_from_json(path, item) for item in listing["entries"])
    return Catalog(path, entries, str(listing["hash"]), cached)


def object_path(catalog: str | os.PathLike[str], uid: str) -> Path:
    """Where an object's arrays lie."""
    return Path(catalog) / "objects" / f"{uid}.npz"


def write_object(catalog: str | os.PathLike[str], model: ObjectModel) -> StoredObject:
    """Writes an object's file, atomically. It joins the catalog once `write_catalog` lists it."""
    arrays = _arrays_of(model)
    stored = StoredObject(model.entry, _digest(arrays))
    arrays["entry"] = _bytes_array(json.dumps(asdict(model.entry), sort_keys=True).encode())
    arrays["digest"] = _bytes_array(stored.digest.encode())
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomic(object_path(catalog, model.entry.uid), buffer.getvalue())
    return stored


def read_stored(path: str | os.PathLike[str]) -> StoredObject | None:
    """The entry and digest inside an object's file without its other arrays; None if it is no such file."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            entry = _entry_from_json(os.fspath(path), json.loads(arrays["entry"].tobytes()))
            return StoredObject(entry, arrays["digest"].tobytes().decode())
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, CatalogError):
        return None


def read_object(path: str | os.PathLike[str], entry: ObjectEntry) -> ObjectModel:
    """Reads an object's file; CatalogError when it is missing or damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
            return _model_of({name: data[name] for name in data.files if name not in ("entry", "digest")}, entry)
    except FileNotFoundError:
        raise CatalogError(path, "is missing though its catalog lists it; build the catalog again") from None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CatalogError(path, f"is damaged ({error}); delete it and build the catalog again") from error


def write_catalog(catalog: str | os.PathLike[str], stored: Iterable[StoredObject]) -> str:
    """Writes the list of a catalog's objects, atomically, and returns the catalog's hash."""
    ordered = sorted(stored, key=lambda item: item.entry.uid)
    items = [{**asdict(item.entry), "digest": item.digest} for item in ordered]
    # What an object was made from and by which code is no part of what it is.
    content = [{name: value for name, value in item.items() if name != "content_hash"} for item in items]
    digest = hashlib.sha256(json.dumps([SCHEMA_VERSION, content], sort_keys=True).encode()).hexdigest()
    listing = {"schema_version": SCHEMA_VERSION, "hash": digest, "entries": items}
    write_atomic(Path(catalog) / "catalog.json", json.dumps(listing, indent=1, sort_keys=True).encode())
    return digest


def listed_hash(catalog: str | os.PathLike[str]) -> str | None:
    """The hash in an existing list, None where there is no readable list of this version."""
    try:
        return str(_read_listing(os.fspath(catalog))["hash"])
    except CatalogError:
        return None


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces a file by `data` in one step; StorageError where that place cannot be written."""
    staging = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.write_bytes(data)
        os.replace(staging, path)
    except OSError as error:
        staging.unlink(missing_ok=True) if staging.parent.is_dir() else None
        raise StorageError(path, error.strerror or str(error)) from error


def _read_listing(path: str) -> dict[str, Any]:
    listing_path = Path(path) / "catalog.json"
    try:
        listing = json.loads(listing_path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        hint = f"make one with: syngrasp assets build --source builtin --out {path}"
        raise CatalogError(path, f"there is no catalog here; {hint}") from None
    except OSError as error:
        raise CatalogError(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CatalogError(path, f"catalog.json is not JSON ({error})") from error
    version = listing.get("schema_version") if isinstance(listing, dict) else None
    if version != SCHEMA_VERSION:
        raise CatalogError(path, f"has schema version {version}, this syngrasp reads version {SCHEMA_VERSION}")
    if not isinstance(listing.get("entries"), list) or "hash" not in listing:
        raise CatalogError(path, "catalog.json lacks its entries or hash")
    return listing


def _entry_from_json(path: str, item: Mapping[str, Any]) -> ObjectEntry:
    values = {name: value for name, value in item.items() if name != "digest"}
    try:
        values["extents"] = tuple(values["extents"])
        values["scale_range"] = tuple(values["scale_range"])
        return ObjectEntry(**values)
    except (KeyError, TypeError) as error:
        raise CatalogError(path, f"has an entry that cannot be read ({error})") from error


def _arrays_of(model: ObjectModel) -> dict[str, NDArray[Any]]:
    visual, sdf, grasps = model.visual, model.sdf, model.grasps
    arrays: dict[str, NDArray[Any]] = {
        "vertices": visual.vertices.astype(np.float32),
        "normals": visual.normals.astype(np.float32),
        "faces": visual.faces.astype(np.int32),
        "face_color": visual.face_color.astype(np.float32),
        "material": np.array([visual.roughness, visual.metallic]),
        "hull_vertices": np.concatenate(model.hulls).astype(np.float64),
        "hull_ends": np.cumsum([len(hull) for hull in model.hulls]),
        "sdf_values": sdf.values.astype(np.float32),
        "sdf_frame": np.array([*sdf.origin, sdf.spacing]),
        "volume": np.array(model.volume),
        "inertia": np.asarray(model.inertia, dtype=np.float64),
        "stable_poses": np.asarray(model.stable_poses, dtype=np.float64),
        "stable_probability": np.asarray(model.stable_probability, dtype=np.float64),
        "grasp_T": np.asarray(grasps.T_object_tcp, dtype=np.float64),
        "grasp_width": np.asarray(grasps.width, dtype=np.float64),
        "grasp_quality": np.asarray(grasps.quality, dtype=np.float64),
        "grasp_normals": np.asarray(grasps.contact_normals, dtype=np.float64),
    }
    if visual.uv is not None:
        arrays["uv"] = visual.uv.astype(np.float32)
    if visual.texture is not None:
        arrays["texture"] = _bytes_array(_encode_image(visual.texture))
    return arrays


def _model_of(arrays: Mapping[str, NDArray[Any]], entry: ObjectEntry) -> ObjectModel:
    roughness, metallic = arrays["material"]
    frame = arrays["sdf_frame"]
    return ObjectModel(
        entry=entry,
        visual=VisualMesh(
            vertices=arrays["vertices"],
            normals=arrays["normals"],
            faces=arrays["faces"],
            uv=arrays.get("uv"),
            texture=_decode_image(arrays["texture"]) if "texture" in arrays else None,
            face_color=arrays["face_color"],
            roughness=float(roughness),
            metallic=float(metallic),
        ),
        hulls=tuple(np.split(arrays["hull_vertices"], arrays["hull_ends"][:-1])),
        sdf=SdfGrid(arrays["sdf_values"], frame[:3].copy(), float(frame[3])),
        volume=float(arrays["volume"]),
        inertia=arrays["inertia"],
        stable_poses=arrays["stable_poses"],
        stable_probability=arrays["stable_probability"],
        grasps=GraspSet(
            T_object_tcp=arrays["grasp_T"],
            width=arrays["grasp_width"],
            quality=arrays["grasp_quality"],
            contact_normals=arrays["grasp_normals"],
        ),
    )


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _bytes_array(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


def _encode_image(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    if buffer.tell() > LOSSLESS_BYTES:
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _decode_image(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(BytesIO(data.tobytes())) as image:
        return np.asarray(image.convert("RGB")).copy()
