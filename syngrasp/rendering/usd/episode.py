"""An episode as a USD stage: a layer over asset files that episodes share. For Omniverse, Blender, usdview and others.

    ASSETS/objects/<uid>-<digest>.usdc, <digest>.png     an object at scale 1 with its material
           robot/<kind>-<digest>.usdc                    a robot's links
           textures/                                     pictures of the looks' materials and environments
    EPISODE.usdc
        /World                       instruction, slot, look, licences in customData
        /World/robot/<link>          time code f is frame f
        /World/objects/object<i>     likewise
        /World/table, room, props    still
        /World/lights, cameras

Metres, z up, the robot's base at the origin. What the masks know (robot, table, objects) has semantic labels.
"""

# pyright: reportAttributeAccessIssue=false
# (what usd-core compiles has no type stubs)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syngrasp.errors import MissingExtra

try:
    from pxr import Sdf, Tf, Usd, UsdGeom, UsdSemantics
except ImportError as error:
    raise MissingExtra("USD (usd-core)", "usd") from error

import json
import uuid
from hashlib import sha256

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.environment.maps import environment_map
from syngrasp.rendering.exr import exr_bytes
from syngrasp.rendering.folders import Folders
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.labels import FIRST_OBJECT, ROBOT, TABLE
from syngrasp.rendering.look import EnvironmentLook, Look
from syngrasp.rendering.parts import RobotMeshes, scene_parts
from syngrasp.rendering.surfaces import Finish, ScenePart
from syngrasp.rendering.texture.families import TextureFolder, material_image
from syngrasp.rendering.usd import meshes as usd_meshes
from syngrasp.rendering.usd.lights import add_camera, add_dome, add_light, dome_picture
from syngrasp.rendering.usd.materials import add_material, once, set_finish, texture_file

TEXTURE_SIZE = {"table": 512, "floor": 512}
OTHER_TEXTURE_SIZE = 256
DOME_HEIGHT = 256


@dataclass(frozen=True, slots=True)
class UsdEpisode:
    """What was written, and where in it to find things."""

    path: Path
    cameras: dict[str, str]  # name → prim
    labels: dict[str, int]  # prim → value in a mask
    frames: int  # time codes 0 … frames − 1


def write_episode(
    path: Path,
    rollout: Rollout,
    models: Sequence[ObjectModel],
    look: Look,
    robot: RobotMeshes,
    *,
    width: int,
    height: int,
    folders: Folders | None = None,
    assets: Path | None = None,
    mdl: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> UsdEpisode:
    """Writes an episode's stage; it appears whole or not at all. `models[i]` belongs to object i of the scene.

    Args:
        path: of the episode's .usdc file.
        width, height: of the pictures that its cameras take [px].
        folders: holds the files that the look names.
        assets: folder of what episodes share; without it `assets` beside the episode.
        mdl: adds OmniPBR and OmniGlass shaders for RTX, which only Omniverse can resolve.
        notes: more to record in /World's customData: text and numbers.
    """
    folders, assets = folders or Folders(), assets or path.parent / "assets"
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{uuid.uuid4().hex}.usdc")
    try:
        stage = usd_meshes.new_stage(staging, "/World")
        writer = _EpisodeWriter(stage, path.parent, assets, mdl)
        labels = writer.write(rollout, models, look, robot, folders)
        cameras = {}
        UsdGeom.Scope.Define(stage, "/World/cameras")
        for camera in look.cameras:
            cameras[camera.name] = f"/World/cameras/{Tf.MakeValidIdentifier(camera.name)}"
            add_camera(stage, cameras[camera.name], camera, width, height)
        frames = len(rollout.joint_position)
        _set_time(stage, frames, rollout.dt)
        stage.GetDefaultPrim().SetCustomData({"syngrasp": {**_story(rollout, models, look), **(notes or {})}})
        stage.Save()
        del stage, writer
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
    return UsdEpisode(path, cameras, labels, frames)


class _EpisodeWriter:
    """Fills a stage that will lie in `folder` from a rollout and a look."""

    def __init__(self, stage: Usd.Stage, folder: Path, assets: Path, mdl: bool) -> None:
        self._stage, self._folder, self._assets, self._mdl = stage, folder, assets, mdl
        self._textures = assets / "textures"

    def write(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, robot: RobotMeshes, folders: Folders
    ) -> dict[str, int]:
        """Everything but cameras. Returns which prims have which value in a mask."""
        scene, stage = rollout.scene, self._stage
        for group in ("objects", "room", "table", "props"):
            UsdGeom.Xform.Define(stage, f"/World/{group}")
        self._reference("/World/robot", usd_meshes.robot_asset(self._assets, scene.robot, robot, self._mdl))
        for i, model in enumerate(models):
            asset = usd_meshes.object_asset(self._assets, model, self._mdl)
            self._reference(f"/World/objects/object{i}", asset)
        for part in scene_parts(rollout, models, look, robot, folders.textures):
            self._part(part)
        self._furniture(rollout, look, folders.textures)
        self._lights(look, scene.table_height, folders.environments)
        labels = {"/World/robot": ROBOT, "/World/table": TABLE}
        self._label("/World/robot", "robot", ROBOT)
        self._label("/World/table", "table", TABLE)
        for i, (model, placed) in enumerate(zip(models, scene.objects, strict=True)):
            prim = f"/World/objects/object{i}"
            labels[prim] = FIRST_OBJECT + i
            self._label(prim, model.entry.category, FIRST_OBJECT + i)
            told = {"uid": placed.uid, "scale": placed.scale, "mass": placed.mass, "friction": placed.friction}
            stage.GetPrimAtPath(prim).SetCustomDataByKey("syngrasp:placed", {**told, "target": i == scene.target})
        return labels

    def _reference(self, path: str, asset: Path) -> None:
        prim = UsdGeom.Xform.Define(self._stage, path).GetPrim()
        prim.GetReferences().AddReference(usd_meshes.relative(asset, self._folder))

    def _part(self, part: ScenePart) -> None:
        stage, mdl = self._stage, self._mdl
        if part.label == ROBOT:
            path = f"/World/{usd_meshes.link_path(part.name)}"
            prim = stage.OverridePrim(path)
            set_finish(stage, "/World/robot/material", part.finish, mdl)
        elif part.label >= FIRST_OBJECT:
            path = f"/World/objects/{part.name}"
            prim = stage.GetPrimAtPath(path)
            set_finish(stage, f"{path}/material", part.finish, mdl)
        else:
            path = f"/World/{'table' if part.label == TABLE else 'props'}/{Tf.MakeValidIdentifier(part.name)}"
            prim = UsdGeom.Xform.Define(stage, path).GetPrim()
            usd_meshes.add_textured_mesh(stage, f"{path}/mesh", part.mesh, part.finish, self._textures, mdl)
        usd_meshes.set_poses(UsdGeom.Xformable(prim), part.R, part.p, part.scale)

    def _furniture(self, rollout: Rollout, look: Look, textures: TextureFolder | None) -> None:
        blocks, materials = furniture(rollout.scene, look), {}
        UsdGeom.Scope.Define(self._stage, "/World/materials")
        for name in dict.fromkeys(block.material for block in blocks):
            material = look.material(name)
            size = TEXTURE_SIZE.get(name, OTHER_TEXTURE_SIZE)
            picture = texture_file(self._textures, material_image(material, size, textures), False)
            path = f"/World/materials/{Tf.MakeValidIdentifier(name)}"
            finish = Finish(material.tint, material.roughness, material.metallic)
            file = usd_meshes.relative(picture, self._folder)
            materials[name] = add_material(self._stage, path, file, finish, self._mdl)
        for i, block in enumerate(blocks):
            mesh, uv = usd_meshes.block_mesh(block, look.material(block.material))
            group = "table" if block.label == TABLE else "room"
            path = f"/World/{group}/{Tf.MakeValidIdentifier(block.material)}{i}"
            usd_meshes.add_mesh(self._stage, path, mesh, uv, materials[block.material])

    def _lights(self, look: Look, table_height: float, environments: Path | None) -> None:
        UsdGeom.Scope.Define(self._stage, "/World/lights")
        for i, light in enumerate(look.lights):
            add_light(self._stage, f"/World/lights/light{i}", light, table_height)
        file = _dome_file(self._textures, look.environment, environments)
        add_dome(self._stage, "/World/lights/dome", usd_meshes.relative(file, self._folder))

    def _label(self, path: str, name: str, label: int) -> None:
        """Semantic labels, as UsdSemantics defines them and as Isaac Sim read them before it had that."""
        prim = self._stage.GetPrimAtPath(path)
        for taxonomy, word in (("class", name), ("instance", str(label))):
            UsdSemantics.LabelsAPI.Apply(prim, taxonomy).CreateLabelsAttr().Set([word])
        prim.AddAppliedSchema("SemanticsAPI:Semantics")
        for field, word in (("Type", "class"), ("Data", name)):
            name_of = f"semantic:Semantics:params:semantic{field}"
            prim.CreateAttribute(name_of, Sdf.ValueTypeNames.String, custom=False).Set(word)


def _dome_file(folder: Path, look: EnvironmentLook, environments: Path | None) -> Path:
    data = exr_bytes(dome_picture(environment_map(look, DOME_HEIGHT, environments)), latlong=True)

    def write(path: Path) -> None:
        path.write_bytes(data)

    return once(folder / f"{sha256(data).hexdigest()[:16]}.exr", write)


def _set_time(stage: Usd.Stage, frames: int, dt: float) -> None:
    stage.SetStartTimeCode(0.0)
    stage.SetEndTimeCode(frames - 1.0)
    stage.SetTimeCodesPerSecond(1.0 / dt)
    stage.SetFramesPerSecond(1.0 / dt)


def _story(rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> dict[str, Any]:
    """What to know of an episode, as USD's metadata takes it."""
    scene, slot = rollout.scene, rollout.scene.slot
    licences = {
        model.entry.uid: {"license": model.entry.license, "attribution": model.entry.attribution} for model in models
    }
    return {
        "slot": {"shard": slot.shard, "episode": slot.episode, "attempt": slot.attempt},
        "instruction": scene.instruction,
        "target": f"/World/objects/object{scene.target}",
        "licences": {Tf.MakeValidIdentifier(uid): {"uid": uid, **told} for uid, told in licences.items()},
        "look": json.dumps(look.to_json(), separators=(",", ":")),
    }
