# SPDX-License-Identifier: Apache-2.0
"""CMU takes on the 22 joints: the right body, the right way round, feet on the floor."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion.body import BONE_LENGTHS, first_frame_to_origin, floor_height
from videomdm.motion.bvh import Bvh, parse_bvh
from videomdm.motion.cmu import from_cmu
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}


@pytest.fixture(scope="module")
def takes(shared_data: Path) -> dict[str, Bvh]:
    """The first takes of the archive."""
    result = {}
    with tarfile.open(shared_data / "cmu" / "bvh.tar.xz", "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or not member.name.endswith(".bvh"):
                continue
            result[Path(member.name).stem] = parse_bvh(content.read().decode(), member.name, 0.01)
            if len(result) == 12:
                break
    return result


def test_every_take_gets_the_same_body(takes: dict[str, Bvh]) -> None:
    for take in takes.values():
        positions = from_cmu(take, 20.0)
        bones = positions[:, 1:] - positions[:, list(PARENTS[1:])]
        lengths = np.linalg.norm(bones, axis=-1)
        np.testing.assert_allclose(lengths, np.broadcast_to(BONE_LENGTHS[1:], lengths.shape), atol=1e-9)
        assert abs(len(positions) / 20.0 - len(take) / take.fps) <= 0.05


def test_people_stand_upright_on_the_floor_and_face_forward(takes: dict[str, Bvh]) -> None:
    for name, take in takes.items():
        positions = first_frame_to_origin(from_cmu(take, 20.0))
        positions[..., 1] -= floor_height(positions, 20.0)
        np.testing.assert_allclose(positions[0, 0, ::2], 0.0, atol=1e-9)
        across = positions[0, JOINT["left_shoulder"]] - positions[0, JOINT["right_shoulder"]]
        across += positions[0, JOINT["left_hip"]] - positions[0, JOINT["right_hip"]]
        assert across[0] > 0.2, f"left is +X in the first frame of {name}"
        assert abs(across[2]) < 1e-9
        toes = positions[:, [JOINT["left_foot"], JOINT["right_foot"]], 1].min(axis=1)
        assert abs(np.percentile(toes, 20)) < 0.05, name
        # toes point where the body faces, most of the time
        feet = (positions[:, [10, 11]] - positions[:, [7, 8]]).sum(axis=1)
        left = positions[:, 1] - positions[:, 2]
        forward = np.cross(left, [0.0, 1.0, 0.0])
        assert np.median(np.sum(feet * forward, axis=-1)) > 0, name


def test_a_planted_foot_stays_where_the_take_has_it(takes: dict[str, Bvh]) -> None:
    planted = moved = 0
    for take in takes.values():
        ankle = take.world[0][:, take.skeleton.index("lFoot")]
        ours = from_cmu(take, take.fps)[:, JOINT["left_ankle"]]
        still = np.linalg.norm(np.diff(ankle, axis=0), axis=-1) * take.fps < 0.05
        planted += still.sum()
        moved += (np.linalg.norm(np.diff(ours, axis=0), axis=-1) * take.fps > 0.10)[still].sum()
    assert planted > 100
    assert moved < 0.02 * planted


def test_a_skeleton_without_the_joints_is_refused() -> None:
    text = "HIERARCHY\nROOT hip\n{\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\n}\n"
    text += "MOTION\nFrames: 1\nFrame Time: 0.05\n0 0 0\n"
    with pytest.raises(UserError, match="abdomen"):
        from_cmu(parse_bvh(text), 20.0)
