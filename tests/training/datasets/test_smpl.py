# SPDX-License-Identifier: Apache-2.0
"""Body models: joints as the whole of smplx makes them, from files of plain arrays only."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")

from videomdm.errors import UserError  # noqa: E402
from videomdm_training.datasets.smpl import Bodies, SmplBody, gender_of, pose_parameters  # noqa: E402

from .bodies import poses, write_model  # noqa: E402


def test_joints_are_those_of_the_whole_model(tmp_path):
    """smplx itself reads the same file and skins all its vertices."""
    file = write_model(tmp_path / "neutral" / "model.npz")
    given = poses(7)
    whole = smplx.SMPLH(
        str(file),
        ext="npz",
        use_pca=False,
        flat_hand_mean=True,
        num_betas=16,
        batch_size=7,
        vertex_ids=dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0),
        use_hands=False,
        use_feet_keypoints=False,
    )
    pose = torch.tensor(given["poses"], dtype=torch.float32)
    made = whole(
        global_orient=pose[:, :3],
        body_pose=pose[:, 3:66],
        left_hand_pose=pose[:, 66:111],
        right_hand_pose=pose[:, 111:],
        betas=torch.tensor(given["betas"], dtype=torch.float32)[None, : whole.num_betas].expand(7, -1),
        transl=torch.tensor(given["trans"], dtype=torch.float32),
    )
    betas = given["betas"][: whole.num_betas]
    ours = SmplBody.load(file).joints(given["poses"], given["trans"], betas)
    assert ours.shape == (7, 22, 3)
    np.testing.assert_allclose(ours, made.joints[:, :22].detach().numpy(), atol=1e-5)


def test_the_shape_moves_the_joints(tmp_path):
    body = SmplBody.load(write_model(tmp_path / "model.npz"))
    still = np.zeros((1, 66)), np.zeros((1, 3))
    small, large = (body.joints(*still, np.array([size]))[0] for size in (0.0, 1.0))
    np.testing.assert_allclose(large, 1.1 * small, atol=1e-5)


def test_a_folder_knows_the_genders_and_says_which_are_missing(tmp_path, caplog):
    write_model(tmp_path / "female" / "model.npz")
    bodies = Bodies(tmp_path)
    with caplog.at_level(logging.WARNING):
        woman = bodies.of("female")
        assert not caplog.records
        assert all(bodies.of(gender) is woman for gender in ("male", "male", "neutral"))
    assert [record.getMessage().split(" has ")[1][:7] for record in caplog.records] == ["no male", "no neut"]
    caplog.clear()
    one = Bodies(tmp_path / "female" / "model.npz")
    assert one.of("male") is one.of("female") and not caplog.records  # given for everybody


@pytest.mark.parametrize(
    ("stored", "gender"),
    [
        ("female", "female"),
        (b"female", "female"),
        (np.array(["male"]), "male"),
        (None, "neutral"),
        (3, "neutral"),
    ],
)
def test_genders_come_as_text_bytes_or_objects(tmp_path, stored, gender):
    np.savez(tmp_path / "a.npz", gender=np.array(stored))
    assert gender_of(tmp_path / "a.npz") == gender
    np.savez(tmp_path / "b.npz", trans=np.zeros(3))
    assert gender_of(tmp_path / "b.npz") == "neutral"


@pytest.mark.parametrize("name", ["SMPLH_NEUTRAL.pkl", "model.pkl"])
def test_pickled_models_are_refused_unread(tmp_path, name):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was read",))

    file = tmp_path / name
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="npz"):
        Bodies(tmp_path)
    with pytest.raises(UserError, match=r"pkl|npz"):
        SmplBody.load(file)


def test_objects_within_an_npz_are_not_unpickled(tmp_path):
    arrays = dict(np.load(write_model(tmp_path / "model.npz")))
    arrays["v_template"] = np.array([{"not": "numbers"}], dtype=object)
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(UserError, match="plain arrays"):
        SmplBody.load(tmp_path / "model.npz")


def test_other_models_and_half_files_are_refused(tmp_path):
    file = write_model(tmp_path / "model.npz")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="readable"):
        SmplBody.load(file)
    file.write_bytes(data)
    arrays = dict(np.load(file))
    arrays["kintree_table"] = arrays["kintree_table"][:, ::-1]
    np.savez(file, **arrays)
    with pytest.raises(UserError, match="SMPL family"):
        SmplBody.load(file)
    np.savez(tmp_path / "x.npz", poses=np.zeros(3))
    with pytest.raises(UserError, match=r"x\.npz .* no v_template"):
        SmplBody.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("v_template", np.array(["a"])),
        ("J_regressor", np.zeros(3)),
        ("shapedirs", np.zeros(3)),
        ("kintree_table", np.array(3)),
        ("kintree_table", np.zeros((2, 0))),
    ],
)
def test_models_of_other_arrays_are_named(tmp_path, name, values):
    file = write_model(tmp_path / "model.npz")
    np.savez(file, **{**np.load(file), name: values})
    with pytest.raises(UserError, match=r"model\.npz"):
        SmplBody.load(file)


def test_parameters_come_under_several_names():
    split = pose_parameters(
        {"global_orient": np.ones((4, 3)), "body_pose": np.zeros((4, 21, 3)), "transl": np.ones((4, 3))}
    )
    assert split[0].shape == (4, 66) and split[0][:, :3].all() and split[1].all() and not split[2].any()
    mean = pose_parameters({"poses": np.zeros((2, 156)), "betas": np.array([[0.0, 2.0], [2.0, 2.0]])})
    np.testing.assert_allclose(mean[2], [1.0, 2.0])


@pytest.mark.parametrize(
    "arrays",
    [
        {"trans": np.zeros((3, 3))},
        {"poses": np.zeros((3, 30))},
        {"poses": np.zeros((3, 66)), "trans": np.zeros((2, 3))},
        {"poses": np.full((3, 66), np.nan)},
        {"poses": np.zeros((0, 66))},
        {"poses": np.zeros((3, 0))},
        {"poses": np.float64(1)},
        {"poses": np.array(["a"] * 3)},
        {"poses": np.zeros((3, 66)), "betas": np.zeros((0, 10))},
        {"global_orient": np.zeros((3, 3)), "body_pose": np.zeros((2, 63))},
        {"global_orient": np.zeros((3, 3))},
    ],
)
def test_parameters_that_do_not_fit_are_refused(arrays):
    with pytest.raises(UserError):
        pose_parameters(arrays)
