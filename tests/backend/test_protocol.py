# SPDX-License-Identifier: Apache-2.0
"""The codec: every message comes back as it went, and no bytes whatever break the receiver."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm import limits, protocol
from videomdm.errors import UserError
from videomdm.motion import Motion


def a_motion(frames: int = 3) -> Motion:
    rng = np.random.default_rng(0)
    return Motion(
        rng.normal(size=(frames, 22, 3)),
        30.0,
        rng.random((frames, 4)) > 0.5,
        rng.normal(size=(frames, 263)),
        "a wave",
        {"seed": 7, "parts": [1.5, None, "x"], "nested": {"deep": True}},
    )


def assert_same_motion(one: Motion, other: Motion) -> None:
    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.contacts, other.contacts)
    np.testing.assert_array_equal(one.features, other.features)
    assert (one.fps, one.caption, one.provenance) == (other.fps, other.caption, other.provenance)


def a_lift(**changes: Any) -> protocol.LiftJob:
    values: dict[str, Any] = {
        "points": np.ones((5, 27, 2), np.float32),
        "confidence": np.ones((5, 27), np.float32),
        "fps": 25.0,
        "width": 640,
        "height": 480,
    }
    return protocol.LiftJob(**values | changes)


JOB = protocol.new_job_id()
PLAIN: list[protocol.Message] = [
    protocol.Hello("secret"),
    protocol.TextJob("a man walks", 3.0, 2**31 - 1, 2.5, 20, 4, "base", JOB),
    protocol.Cancel(JOB),
    protocol.FetchTake(JOB),
    protocol.ListTakes(10, 5.5, JOB),
    protocol.Ping(),
    protocol.Welcome(JOB, ["text"], [protocol.Model("base", 20.0, "h", "Apache-2.0", 10.0, True)], "base"),
    protocol.Accepted(JOB, 2),
    protocol.Failed("code", "message", "advice", JOB),
    protocol.Cancelled(JOB),
    protocol.Takes(JOB, [protocol.Take(JOB, 1.0, "base", "a wave", 1, 100, 20.0)]),
    protocol.Pong(),
]


def kinds_of(message: protocol.Message) -> Any:
    return protocol.Request if isinstance(message, protocol.Request) else protocol.Event


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: type(message).__name__)
def test_messages_without_arrays_come_back(message: protocol.Message) -> None:
    assert protocol.decode(protocol.encode(message), kinds_of(message)) == message


def test_motions_come_back_in_results_and_previews() -> None:
    result = protocol.Result(JOB, [a_motion(3), a_motion(5)])
    received = protocol.decode(protocol.encode(result), protocol.Event)
    for sent, got in zip(result.motions, received.motions, strict=True):
        assert_same_motion(sent, got)
    bare = Motion(a_motion().positions, contacts=a_motion().contacts)
    preview = protocol.decode(
        protocol.encode(protocol.Progress(JOB, 0.5, "denoising", bare)), protocol.Event
    ).preview
    assert_same_motion(preview, bare)


def test_keypoints_come_back_in_a_lift() -> None:
    keypoints = SimpleNamespace(
        points=np.random.default_rng(0).normal(size=(4, 27, 2)),  # float64: of() makes it float32
        confidence=np.ones((4, 27)),
        fps=30,
        width=100,
        height=200,
        source="walk.mp4",
        provenance={"detector": "pose"},
    )
    job = protocol.LiftJob.of(keypoints, prompt="a man walks", seed=3)
    got = protocol.decode(protocol.encode(job), protocol.Request)
    np.testing.assert_array_equal(got.points, keypoints.points.astype(np.float32))
    assert (got.fps, got.width, got.source, got.provenance, got.prompt, got.seed, got.job) == (
        30.0, 100, "walk.mp4", {"detector": "pose"}, "a man walks", 3, job.job,
    )  # fmt: skip


def test_received_arrays_cannot_be_changed() -> None:
    got = protocol.decode(protocol.encode(a_lift()), protocol.Request)
    with pytest.raises(ValueError, match="read-only"):
        got.points[0, 0, 0] = 1.0


def test_big_endian_and_strided_arrays_are_sent_as_values() -> None:
    points = np.arange(5 * 27 * 2, dtype=">f4").reshape(2, 27, 5).T
    got = protocol.decode(protocol.encode(a_lift(points=points)), protocol.Request)
    np.testing.assert_array_equal(got.points, points)


def with_header(changes: dict[str, Any], message: protocol.Message | None = None) -> list[bytes]:
    """The frames of a lift with another header; keys with dots reach into the header of an array."""
    frames = protocol.encode(message or a_lift())
    header = msgspec.msgpack.decode(frames[1])
    for name, value in changes.items():
        *parents, last = name.split(".")
        target = header
        for parent in parents:
            target = target[parent]
        target[last] = value
    return [frames[0], msgspec.msgpack.encode(header), *frames[2:]]


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"keyframes": [1, 2]}, "malformed", "keyframes"),
        ({"type": "EditJob"}, "unknown-message", "EditJob"),
        ({"type": "Result"}, "unknown-message", "Result"),
        ({"type": 7}, "unknown-message", "7"),
        ({"seed": "seven"}, "malformed", "seed"),
        ({"job": "../../etc/passwd"}, "malformed", "job"),
        ({"job": JOB + "\n"}, "malformed", "job"),
        ({"points.dtype": "|O"}, "malformed", "|O"),
        ({"points.dtype": "<f8"}, "malformed", "<f8"),
        ({"points.shape": [2**40, 2**40]}, "malformed", "needs"),
        ({"points.shape": [-1, 27, 2]}, "malformed", "shape"),
        ({"points.shape": [5, 27, 1, 1, 2]}, "malformed", "shape"),
        ({"points.bytes": 1}, "malformed", "declares"),
        ({"points.frame": 9}, "malformed", "no array 9"),
        ({"points.frame": -1}, "malformed", "no array -1"),
        ({"points": None}, "malformed", "points"),
        ({"points": [1.0, 2.0]}, "malformed", "points"),
        ({"points.frame": 1, "points.shape": [5, 27], "points.bytes": 540}, "malformed", "has 2 arrays"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], code: str, named: str) -> None:
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.decode(with_header(changes), protocol.Request)
    assert caught.value.code == code
    assert named in str(caught.value)


def test_the_job_of_a_bad_message_is_known() -> None:
    job = a_lift()
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.decode(with_header({"surprise": 1}, job), protocol.Request)
    assert caught.value.job == job.job


def test_surplus_and_missing_frames_are_refused() -> None:
    frames = protocol.encode(a_lift())
    for wrong in ([], frames[:1], frames[:-1], [*frames, b"more"], [b"", *frames]):
        with pytest.raises(protocol.ProtocolError):
            protocol.decode(wrong, protocol.Request)


def test_bools_are_checked() -> None:
    frames = protocol.encode(
        protocol.Result(JOB, [Motion(np.zeros((1, 22, 3)), 20.0, np.ones((1, 4), bool))])
    )
    assert frames[3] == b"\1\1\1\1"
    with pytest.raises(protocol.ProtocolError, match="neither true nor false"):
        protocol.decode([*frames[:3], b"\1\1\2\1"], protocol.Event)


def test_a_motion_that_is_none_is_refused() -> None:
    positions = np.full((1, 22, 3), np.nan, np.float32).tobytes()
    frames = protocol.encode(
        protocol.Result(JOB, [Motion(np.zeros((1, 22, 3)), 20.0, np.ones((1, 4), bool))])
    )
    with pytest.raises(protocol.ProtocolError, match="NaN"):
        protocol.decode([*frames[:2], positions, frames[3]], protocol.Event)


def test_another_version_is_refused_by_number() -> None:
    with pytest.raises(protocol.ProtocolError, match="version 7") as caught:
        protocol.decode([b"videomdm/7", b"whatever", b""], protocol.Request)
    assert caught.value.code == "wrong-version"


def test_sizes_are_bounded_both_ways() -> None:
    header = protocol.encode(protocol.Ping())
    too_many = [*header, *[b""] * (protocol.MAX_ARRAYS + 1)]
    too_long = [header[0], b"\0" * (protocol.MAX_HEADER_BYTES + 1)]
    too_large = [*header, bytes(protocol.MAX_FRAME_BYTES + 1)]
    in_all = [*header, *[bytes(protocol.MAX_FRAME_BYTES)] * 3]
    for frames in (too_many, too_long, too_large, in_all):
        with pytest.raises(protocol.ProtocolError) as caught:
            protocol.decode(frames, protocol.Request)
        assert caught.value.code == "too-large"
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.encode(a_lift(points=np.zeros((9000000, 1, 1), np.float32)))
    assert caught.value.code == "too-large"


def test_hostile_msgpack_is_refused_cheaply() -> None:
    claims_4_gib = b"\x81\xa4type\xdd\xff\xff\xff\xff"
    nested = b"\x81\xa4type" + b"\x91" * 200_000
    for header in (claims_4_gib, nested, b"\xc1", b"", b"\x80"):
        with pytest.raises(protocol.ProtocolError):
            protocol.decode([protocol.PREFIX, header], protocol.Request)


def test_objects_have_no_place_in_a_message() -> None:
    with pytest.raises(TypeError, match="object"):
        protocol.encode(a_lift(points=np.array([object()])))
    with pytest.raises(TypeError, match="object"):
        protocol.encode(a_lift(provenance={"x": object()}))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_fuzz_any_frames(frames: list[bytes]) -> None:
    for candidate in (frames, [protocol.PREFIX, *frames]):
        try:
            message = protocol.decode(candidate, protocol.Request)
        except protocol.ProtocolError:
            continue
        assert isinstance(message, protocol.Request)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([a_lift(), *PLAIN, protocol.Result(JOB, [a_motion()])]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_fuzz_flipped_bytes(message: protocol.Message, flips: list[tuple[int, int]]) -> None:
    frames = [bytearray(frame) for frame in protocol.encode(message)]
    for place, value in flips:
        frame = frames[place % len(frames)]
        if frame:
            frame[place % len(frame)] = value
    for kinds in (protocol.Request, protocol.Event):
        try:
            protocol.decode([bytes(frame) for frame in frames], kinds)
        except protocol.ProtocolError as error:
            assert str(error)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats()
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([kind.__name__ for kind in protocol.Request.__args__]),
    st.dictionaries(
        st.sampled_from(["prompt", "seconds", "seed", "points", "confidence", "fps", "job", "token", "x"]),
        json_values,
        max_size=6,
    ),
    st.lists(st.binary(max_size=16), max_size=2),
)
def test_fuzz_headers(kind: str, fields: dict[str, Any], arrays: list[bytes]) -> None:
    header = msgspec.msgpack.encode({"type": kind} | fields)
    try:
        message = protocol.decode([protocol.PREFIX, header, *arrays], protocol.Request)
    except protocol.ProtocolError:
        return
    if isinstance(message, protocol.Job):
        try:
            protocol.check_job(message)
        except UserError as error:
            assert error.message


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"prompt": ""}, "bad-prompt", "empty"),
        ({"prompt": " \n\t"}, "bad-prompt", "empty"),
        ({"prompt": "walk " * 2000}, "bad-prompt", "10000 characters"),
        ({"prompt": "\ud800"}, "bad-prompt", "Unicode"),
        ({"seconds": 0.0}, "bad-seconds", "0.5 to 10"),
        ({"seconds": 1e9}, "bad-seconds", "1e+09 seconds"),
        ({"seconds": math.nan}, "bad-seconds", "length is nan"),
        ({"seconds": -math.inf}, "bad-seconds", "-inf"),
        ({"seed": -1}, "bad-seed", "0 to 2147483647"),
        ({"seed": 2**31}, "bad-seed", "2147483648"),
        ({"guidance": math.nan}, "bad-guidance", "nan"),
        ({"guidance": 1e9}, "bad-guidance", "0 to 20"),
        ({"steps": 0}, "bad-steps", "1 to 1000"),
        ({"samples": 10**60}, "bad-samples", "1 to 16"),
        ({"seconds": "five"}, "bad-seconds", "'five'"),
        ({"seed": 1.5}, "bad-seed", "1.5"),
        ({"seed": True}, "bad-seed", "True"),
        ({"prompt": 7}, "bad-prompt", "not text"),
    ],
)
def test_limits_of_a_text_job(changes: dict[str, Any], code: str, words: str) -> None:
    job = protocol.TextJob(**{"prompt": "a man walks"} | changes)
    with pytest.raises(UserError) as caught:
        protocol.check_job(job)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_limits_themselves_are_allowed() -> None:
    protocol.check_job(
        protocol.TextJob("x" * limits.MAX_PROMPT_CHARACTERS, limits.MAX_SECONDS, limits.MAX_SEED)
    )
    protocol.check_job(protocol.TextJob("x", limits.MIN_SECONDS, 0, 0.0, 1, 1))
    protocol.check_job(protocol.TextJob("x", np.float32(2.0), np.int64(5)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"points": np.ones((5, 27, 3), np.float32)},
        {"points": np.ones((5, 27), np.float32)},
        {"confidence": np.ones((4, 27), np.float32)},
        {"points": np.full((5, 27, 2), np.nan, np.float32)},
        {"points": np.ones((0, 27, 2), np.float32), "confidence": np.ones((0, 27), np.float32)},
        {"fps": math.nan},
        {"fps": 0.0},
        {"width": 0},
        {"height": 10**9},
    ],
)
def test_limits_of_a_lift(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        protocol.check_job(a_lift(**changes))
    assert caught.value.code == "bad-keypoints"
    assert caught.value.advice
