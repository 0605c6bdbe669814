"""Materials of USD files: UsdPreviewSurface for every renderer and, when asked for, NVIDIA's OmniPBR for RTX.

OmniPBR lives on the search path of Omniverse, not in the export: usd-core's checker cannot resolve it and says so.
"""

# pyright: reportAttributeAccessIssue=false
# (what usd-core compiles has no type stubs)

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Usd, UsdShade

from syngrasp.rendering.shapes import linear_to_srgb_values
from syngrasp.rendering.surfaces import Finish, color_grid

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

PATCH = 4  # edge of a colour in a palette [px]
GLASS = 0.5  # transmission from which RTX is given glass rather than a veil


def once(path: Path, write: Callable[[Path], None]) -> Path:
    """Makes a file that many processes may want: written beside its place, then renamed. Names follow the content, so
    whichever comes first has made all of them."""
    if not path.exists():
        import uuid

        path.parent.mkdir(parents=True, exist_ok=True)
        staging = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
        try:
            write(staging)
            staging.replace(path)
        finally:
            staging.unlink(missing_ok=True)
    return path


def texture_file(folder: Path, image: U8, lossless: bool) -> Path:
    """The file of a picture (H, W, 3) sRGB in a folder: PNG, or JPEG of quality 95 where that may be."""
    from PIL import Image

    image = np.ascontiguousarray(image)
    digest = sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()[:16]

    def write(path: Path) -> None:
        buffer = BytesIO()
        if lossless:
            Image.fromarray(image).save(buffer, format="PNG")
        else:
            Image.fromarray(image).save(buffer, format="JPEG", quality=95, subsampling=0)
        path.write_bytes(buffer.getvalue())

    return once(folder / f"{digest}.{'png' if lossless else 'jpg'}", write)


def palette(face_color: F32) -> tuple[U8, F32]:
    """Linear colours of faces (T, 3) as a picture sRGB and the faces' places (3 T, 2) in it, v up: every corner of a
    face in the middle of its colour's patch."""
    image, uv = color_grid((linear_to_srgb_values(face_color) * 255.0 + 0.5).astype(np.uint8))
    return image.repeat(PATCH, 0).repeat(PATCH, 1), np.repeat(uv, 3, axis=0).astype(np.float32)


def add_material(
    stage: Usd.Stage, path: str, texture: str, finish: Finish, mdl: bool, glass: bool = False
) -> UsdShade.Material:
    """Defines a material of a texture, laid out by the primvar `st`; with `glass` for what a look may make of glass."""
    material = UsdShade.Material.Define(stage, path)
    kinds = Sdf.ValueTypeNames
    reader = UsdShade.Shader.Define(stage, f"{path}/reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", kinds.String).Set("st")
    picture = UsdShade.Shader.Define(stage, f"{path}/texture")
    picture.CreateIdAttr("UsdUVTexture")
    picture.CreateInput("file", kinds.Asset).Set(Sdf.AssetPath(texture))
    picture.CreateInput("sourceColorSpace", kinds.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        picture.CreateInput(wrap, kinds.Token).Set("repeat")
    picture.CreateInput("st", kinds.Float2).ConnectToSource(reader.CreateOutput("result", kinds.Float2))
    surface = UsdShade.Shader.Define(stage, f"{path}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("diffuseColor", kinds.Color3f).ConnectToSource(picture.CreateOutput("rgb", kinds.Float3))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", kinds.Token))
    if mdl:
        pbr = _mdl(stage, f"{path}/omnipbr", "OmniPBR")
        pbr.CreateInput("diffuse_texture", kinds.Asset).Set(Sdf.AssetPath(texture))
        pbr.GetInput("diffuse_texture").GetAttr().SetColorSpace("sRGB")
        _use(material, pbr)
        if glass:
            _mdl(stage, f"{path}/omniglass", "OmniGlass")
    set_finish(stage, path, finish, mdl)
    return material


def set_finish(stage: Usd.Stage, path: str, finish: Finish, mdl: bool) -> None:
    """Sets how a material meets light, or overrides that of a referenced asset's."""
    color, number = Sdf.ValueTypeNames.Color3f, Sdf.ValueTypeNames.Float
    tint, opacity = Gf.Vec3f(*finish.tint), 1.0 - finish.transmission
    picture = UsdShade.Shader(stage.OverridePrim(f"{path}/texture"))
    picture.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*finish.tint, 1.0))
    surface = UsdShade.Shader(stage.OverridePrim(f"{path}/surface"))
    values = {"roughness": finish.roughness, "metallic": finish.metallic, "opacity": opacity, "ior": finish.ior}
    for name, value in values.items():
        surface.CreateInput(name, number).Set(value)
    if not mdl:
        return
    pbr = UsdShade.Shader(stage.OverridePrim(f"{path}/omnipbr"))
    pbr.CreateInput("diffuse_tint", color).Set(tint)
    pbr.CreateInput("reflection_roughness_constant", number).Set(finish.roughness)
    pbr.CreateInput("metallic_constant", number).Set(finish.metallic)
    if finish.transmission > 0.0:
        pbr.CreateInput("enable_opacity", Sdf.ValueTypeNames.Bool).Set(True)
        pbr.CreateInput("opacity_constant", number).Set(opacity)
    if finish.transmission >= GLASS:
        glass = UsdShade.Shader(stage.OverridePrim(f"{path}/omniglass"))
        glass.CreateInput("glass_color", color).Set(tint)
        glass.CreateInput("glass_ior", number).Set(finish.ior)
        glass.CreateInput("frosting_roughness", number).Set(finish.roughness)
        _use(UsdShade.Material(stage.OverridePrim(path)), glass)


def _mdl(stage: Usd.Stage, path: str, module: str) -> UsdShade.Shader:
    shader = UsdShade.Shader.Define(stage, path)
    shader.SetSourceAsset(Sdf.AssetPath(f"{module}.mdl"), "mdl")
    shader.SetSourceAssetSubIdentifier(module, "mdl")
    shader.CreateOutput("out", Sdf.ValueTypeNames.Token)
    return shader


def _use(material: UsdShade.Material, shader: UsdShade.Shader) -> None:
    """Makes an MDL shader the material's for RTX."""
    out = shader.CreateOutput("out", Sdf.ValueTypeNames.Token)
    for terminal in (material.CreateSurfaceOutput, material.CreateVolumeOutput, material.CreateDisplacementOutput):
        terminal("mdl").ConnectToSource(out)
