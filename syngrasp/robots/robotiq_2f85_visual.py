"""What a camera sees of the Robotiq 2F-85, drawn after its manual's outline: no package carries its meshes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from syngrasp.robots import robotiq_2f85 as model
from syngrasp.robots.solids import Solid, bar, disc, joined, loft, mirrored, prism, rounded_box
from syngrasp.robots.visual import VisualPart
from syngrasp.robots.visual_geoms import add_parts

# sRGB
_HOUSING = (0.17, 0.17, 0.18)
_ALUMINIUM = (0.70, 0.71, 0.73)
_LINK = (0.29, 0.29, 0.31)
_RUBBER = (0.07, 0.07, 0.07)
_STEEL = (0.80, 0.80, 0.80)

Colour = tuple[float, float, float]


def add_visuals(spec: mujoco.MjSpec, body: mujoco.MjsBody, sides: Mapping[float, Mapping[str, mujoco.MjsBody]]) -> None:
    """Adds the visual geoms to the body and, for each sign of y, to crank, finger and bar."""
    add_parts(spec, body, body.name, _parts(_body()))
    for sign, links in sides.items():
        for name, solids in (("crank", _crank()), ("finger", _finger()), ("bar", _bar())):
            kept = solids if sign > 0 else [(mirrored(solid), colour) for solid, colour in solids]
            add_parts(spec, links[name], links[name].name, _parts(kept))


def _parts(solids: Sequence[tuple[Solid, Colour]]) -> list[VisualPart]:
    return [VisualPart(s.vertices.astype(np.float32), s.faces, colour) for s, colour in solids]


def _body() -> list[tuple[Solid, Colour]]:
    """Coupling, the round housing that narrows towards the fingers, and the pivots' cheeks."""
    sections = ((0.0375, 0.0375, 2.0, 0.0150), (0.0375, 0.0375, 2.0, 0.0400), (0.0350, 0.0375, 2.2, 0.0480),
                (0.0270, 0.0380, 2.8, 0.0600), (0.0200, 0.0375, 3.5, 0.0700), (0.0170, 0.0360, 4.0, 0.0780),
                (0.0155, 0.0340, 4.0, 0.0805))  # fmt: skip
    coupling = ((0.0360, 0.0360, 2.0, 0.0), (0.0375, 0.0375, 2.0, 0.0015), (0.0375, 0.0375, 2.0, 0.0120),
                (0.0362, 0.0362, 2.0, 0.0132), (0.0362, 0.0362, 2.0, 0.0150))  # fmt: skip
    pins = [disc((side * y, z), 0.0045, -0.0195, 0.0195) for side in (1, -1)
            for y, z in (model.OUTER_PIVOT, model.INNER_PIVOT)]  # fmt: skip
    plate = [prism([(-0.010, 0.030), (0.010, 0.030), (0.010, 0.044), (-0.010, 0.044)], 0.030, 0.0382)]
    return [
        (loft([rounded_box(*s) for s in sections]), _HOUSING),
        (loft([rounded_box(*s) for s in coupling]), _ALUMINIUM),
        (joined(pins), _STEEL),
        (joined(plate), _ALUMINIUM),
    ]


def _crank() -> list[tuple[Solid, Colour]]:
    """Two short plates out to the bend, and one link up to the finger."""
    origin, bend, end = (0.0, 0.0), model.KNUCKLE, _along_crank()
    plates = [bar(origin, bend, (0.0085, 0.0075), *x) for x in ((0.0165, 0.0205), (-0.0205, -0.0165))]
    return [
        (joined(plates), _ALUMINIUM),
        (bar(bend, end, (0.0080, 0.0075), -0.0125, 0.0125), _LINK),
        (joined([disc(at, 0.0040, -0.0212, 0.0212) for at in (bend,)] + [disc(end, 0.0040, -0.0140, 0.0140)]), _STEEL),
    ]


def _bar() -> list[tuple[Solid, Colour]]:
    plates = [bar((0.0, 0.0), _along_crank(), (0.0065, 0.0060), *x) for x in ((0.0095, 0.0125), (-0.0125, -0.0095))]
    return [(joined(plates), _ALUMINIUM)]


def _finger() -> list[tuple[Solid, Colour]]:
    """The foot that crank and bar hold, the fingertip on it, and the rubber pad before it."""
    face, tip = -model.FINGER_PIVOT[0], model.HEIGHT - model.FINGER_PIVOT[1]
    bottom, back, width = tip - model.PAD_LENGTH, face + model.FINGER_THICKNESS, model.PAD_HALF_WIDTH
    foot = [
        (back - 0.002, -0.006),
        (0.004, -0.007),
        (0.007, -0.002),
        (0.006, 0.005),
        (-0.004, 0.009),
        (back - 0.002, 0.014),
    ]
    fingertip = [
        (face + 0.002, bottom),
        (back, bottom - 0.004),
        (back, tip - 0.006),
        (back - 0.005, tip),
        (face + 0.002, tip),
    ]
    pad = [(face, bottom + 0.001), (face + 0.002, bottom + 0.001), (face + 0.002, tip - 0.0004), (face, tip - 0.0004)]
    inner = np.subtract(model.INNER_PIVOT, model.OUTER_PIVOT)
    return [
        (joined([prism(foot, -0.0085, 0.0085), prism(fingertip, -width, width)]), _LINK),
        (prism(pad, -width, width, 0.0004), _RUBBER),
        (disc((inner[0], inner[1]), 0.0038, -0.0138, 0.0138), _STEEL),
    ]


def _along_crank() -> tuple[float, float]:
    """y z of a crank's far pivot from the near one, closed; a bar's are the same."""
    return model.FINGER_PIVOT[0] - model.OUTER_PIVOT[0], model.FINGER_PIVOT[1] - model.OUTER_PIVOT[1]
