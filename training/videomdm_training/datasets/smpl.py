# SPDX-License-Identifier: Apache-2.0
"""Joints of SMPL-H bodies from pose parameters, by the user's own model files and the ``smplx`` package.

A model file is an ``.npz`` of the SMPL family with the arrays v_template (V, 3), shapedirs (V, 3, S), J_regressor
(J, V) and kintree_table (2, J), as mano.is.tue.mpg.de offers SMPL-H for AMASS.  Files that are pickles are refused:
reading one would run whatever code it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.skeleton import JOINT_COUNT, PARENTS

from .arrays import load_arrays, numbers, word

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

GENDERS = ("neutral", "male", "female")
_CHUNK = 4096  # frames at once
_MAX_MODEL = 1 << 30  # bytes


@dataclass(frozen=True)
class SmplBody:
    """The part of a body model that says where joints are.

    rest:  (J, 3) joints of the mean shape, metres; shapes: (J, 3, S) how each shape coefficient moves them.
    """

    rest: Tensor
    shapes: Tensor
    parents: Tensor

    @classmethod
    def load(cls, file: Path) -> SmplBody:
        """Read a model file; UserError where it is none, or where ``smplx`` is not installed."""
        import torch

        lbs = _lbs()
        if file.suffix.lower() != ".npz":
            raise UserError(
                f"The body model {file} is no .npz.",
                "Pickled models (.pkl) are not read: they can hold code. Download the .npz form.",
            )
        if file.is_file() and file.stat().st_size > _MAX_MODEL:
            raise UserError(f"The body model {file} is too large.", "Give a model of the SMPL family.")
        names = ("v_template", "shapedirs", "J_regressor", "kintree_table")
        try:
            arrays = load_arrays(file, names)
            template, blend, regressor, tree = (numbers(arrays[name], name) for name in names)
        except UserError as error:
            raise UserError(
                f"The body model {file} cannot be used: {error.message}.", error.advice
            ) from error
        parents = tree[0].astype(np.int64) if tree.ndim == 2 and tree.size else np.zeros(1, np.int64)
        parents[0] = -1
        if (
            regressor.ndim != 2
            or template.shape != (regressor.shape[1], 3)
            or blend.ndim != 3
            or blend.shape[:2] != template.shape
            or len(parents) != len(regressor)
            or tuple(parents[:JOINT_COUNT]) != PARENTS
        ):
            raise UserError(f"The body model {file} is not of the SMPL family.", "Give an SMPL-H model.")
        vertices, shapedirs, J = (
            torch.from_numpy(a.astype(np.float32)) for a in (template, blend, regressor)
        )
        rest = lbs.vertices2joints(J, vertices[None])[0]
        shapes = lbs.vertices2joints(J, shapedirs.permute(2, 0, 1)).permute(1, 2, 0)
        return cls(rest, shapes, torch.from_numpy(parents))

    def joints(self, poses: np.ndarray, trans: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """(T, 22, 3) joints of axis-angle ``poses`` (T, P >= 66), ``trans`` (T, 3) and one shape ``betas`` (S',).

        The joints of fingers and toes beyond the 22 do not move any of these and are left out.
        """
        import torch

        lbs = _lbs()
        count = min(len(betas), self.shapes.shape[-1])
        shape = torch.from_numpy(np.asarray(betas[:count], np.float32))
        rest = (self.rest + self.shapes[..., :count] @ shape)[:JOINT_COUNT]
        made = []
        for first in range(0, len(poses), _CHUNK):
            rows = torch.from_numpy(np.asarray(poses[first : first + _CHUNK, : 3 * JOINT_COUNT], np.float32))
            turns = lbs.batch_rodrigues(rows.reshape(-1, 3)).view(len(rows), JOINT_COUNT, 3, 3)
            still = rest[None].expand(len(rows), -1, -1)
            made.append(lbs.batch_rigid_transform(turns, still, self.parents[:JOINT_COUNT])[0].numpy())
        return np.concatenate(made) + np.asarray(trans, np.float32)[:, None]


def _lbs():  # type: ignore[no-untyped-def]  # a module of a package that ships no types
    try:
        from smplx import lbs
    except ImportError as error:
        raise UserError(
            "Body models are read by the package smplx, which is not installed.",
            "Install it with `pip install smplx`; its licence allows research, see its page.",
            code="missing-package",
        ) from error
    return lbs


class Bodies:
    """The body models of a folder, read when they are needed."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds <gender>/model.npz, as AMASS's archive does, or SMPLH_<GENDER>.npz; or is one file."""
        self.folder = folder
        self._loaded: dict[str, SmplBody] = {}
        self._missed: set[str] = set()
        self._files = {gender: self._find(gender) for gender in GENDERS}
        if not any(self._files.values()):
            raise UserError(
                f"{folder} holds no body model.",
                "Give the folder with neutral/model.npz, male/model.npz..., or one .npz file. Pickled models (.pkl) "
                "are not read: they can hold code.",
            )

    def _find(self, gender: str) -> Path | None:
        if self.folder.is_file():
            return self.folder
        places = (f"{gender}/model.npz", f"SMPLH_{gender.upper()}.npz", f"smplh/{gender}/model.npz")
        return next((self.folder / place for place in places if (self.folder / place).is_file()), None)

    def of(self, gender: str) -> SmplBody:
        """The body of a gender, or the first one there is, which is logged once for each gender."""
        file = self._files.get(gender) or next(file for file in self._files.values() if file)
        if not self._files.get(gender) and gender not in self._missed:
            self._missed.add(gender)
            log.warning(
                "%s has no %s body model: %s stands in for it, and proportions are a little off.",
                self.folder,
                gender,
                file,
            )
        key = str(file)
        if key not in self._loaded:
            self._loaded[key] = SmplBody.load(file)
        return self._loaded[key]


def gender_of(file: Path) -> str:
    """The body that a file was fitted with: text, bytes, or "neutral" where it is an object, which is not read."""
    try:
        stored = load_arrays(file, (), ("gender",)).get("gender", "neutral")
    except UserError:
        return "neutral"
    return word(stored, "neutral")


def pose_parameters(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``poses`` (T, >= 66), ``trans`` (T, 3) and ``betas`` (S,) of a file's arrays; UserError where they disagree.

    Known names: poses, or global_orient / root_orient with body_pose / pose_body (axis-angle); trans or transl;
    betas, one shape for the clip or one for each frame, of which the mean is taken.
    """
    poses = _poses(arrays)
    stored = next((arrays[n] for n in ("trans", "transl") if n in arrays), np.zeros((len(poses), 3)))
    trans, betas = numbers(stored, "trans"), numbers(arrays.get("betas", np.zeros(10)), "betas")
    if betas.ndim == 2 and len(betas):
        betas = betas.mean(0)
    if poses.shape[1] < 66 or trans.shape != (len(poses), 3) or betas.ndim != 1:
        raise UserError(
            f"its poses {poses.shape}, trans {trans.shape} and betas {betas.shape} do not fit together",
            "Poses are axis-angle, at least 66 numbers a frame.",
        )
    if not (np.isfinite(poses).all() and np.isfinite(trans).all() and np.isfinite(betas).all()):
        raise UserError("it holds NaN or infinite numbers", "Leave these frames out.")
    return poses, trans, betas


def _poses(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T, P) the turns of root and body together."""
    choices = (
        (("poses",),) if "poses" in arrays else (("global_orient", "root_orient"), ("body_pose", "pose_body"))
    )
    names = [next((name for name in known if name in arrays), "") for known in choices]
    if not all(names):
        raise UserError("it has neither poses nor global_orient and body_pose", "Give SMPL parameters.")
    parts = [numbers(arrays[name], name) for name in names]
    frames = parts[0].shape[:1]
    if frames in ((), (0,)) or any(part.shape[:1] != frames or not part.size for part in parts):
        shapes = ", ".join(f"{name} {part.shape}" for name, part in zip(names, parts, strict=True))
        raise UserError(f"it has no poses of one and the same number of frames ({shapes})", "Make it again.")
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
