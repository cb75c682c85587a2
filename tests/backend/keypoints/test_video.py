# SPDX-License-Identifier: Apache-2.0
"""Reading video upright and evenly spaced; writing it whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.keypoints.video import Video
from videomdm.keypoints.video_writer import VideoWriter

av = pytest.importorskip("av")
WIDTH, HEIGHT = 160, 96


def numbered(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture whose grey level tells its number; its top left quarter is black."""
    image = np.full((height, width, 3), 60 + 4 * number, np.uint8)
    image[: height // 2, : width // 2] = 0
    return image


def number_of(image: np.ndarray) -> int:
    return round((float(image[-20:, -20:].mean()) - 60) / 4)


def write(path: Path, milliseconds: Sequence[int], rotation: int = 0) -> Path:
    """A video whose frames are shown at the given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"crf": "5"}
        if rotation:
            stream.set_display_rotation(rotation)
        for number, at in enumerate(milliseconds):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(video: Video) -> list[int]:
    return [number_of(image) for image in video]


def test_every_frame_once_at_the_files_own_rate(tmp_path: Path) -> None:
    video = Video(write(tmp_path / "v.mp4", [40 * i for i in range(25)]))
    assert video.info.fps == pytest.approx(25, rel=0.05)
    assert (video.info.width, video.info.height, video.info.start) == (WIDTH, HEIGHT, 0.0)
    assert numbers(video) == list(range(25))
    assert numbers(video) == list(range(25)), "it can be read again"
    assert video.info.frames == pytest.approx(25, abs=1)


def test_lower_and_higher_rates(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", [40 * i for i in range(25)])
    assert numbers(Video(path, fps=5)) == [0, 5, 10, 15, 20]
    doubled = numbers(Video(path, fps=50))
    assert len(doubled) in (49, 50)
    assert doubled == sorted(doubled)
    assert set(doubled) == set(range(25))


def test_a_part_of_the_video(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", [40 * i for i in range(25)])
    part = Video(path, start=0.2, end=0.4, fps=25)
    assert numbers(part) == [5, 6, 7, 8, 9]
    assert (part.info.start, part.info.frames) == (0.2, 5)
    assert numbers(Video(path, start=0.92, fps=25)) == [23, 24]
    with pytest.raises(UserError, match="nothing is left"):
        Video(path, start=5.0)
    with pytest.raises(UserError, match="does not come after"):
        Video(path, start=0.5, end=0.5)
    with pytest.raises(UserError, match="frame rate"):
        Video(path, fps=0)


def test_a_variable_rate_keeps_its_speed(tmp_path: Path) -> None:
    """Half a second at 50, then half a second at 10 frames per second."""
    times = [20 * i for i in range(25)] + [500 + 100 * i for i in range(5)]
    read = numbers(Video(write(tmp_path / "v.mp4", times), fps=50, end=0.9))
    assert read[:25] == list(range(25))
    assert len(read) == 45
    for index in range(25, 44):
        assert abs(times[read[index]] - 20 * index) <= 50, "the frame nearest in time"


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    """The file says by how many degrees counter-clockwise it is to be turned."""
    path = tmp_path / "v.mp4"
    if not hasattr(av.video.stream.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write a rotation")
    video = Video(write(path, [0, 40, 80], rotation))
    image = next(iter(video))
    upright = (WIDTH, HEIGHT) if rotation == 180 else (HEIGHT, WIDTH)
    assert (video.info.width, video.info.height) == upright == (image.shape[1], image.shape[0])
    width, height = upright
    corners = {
        "top left": image[5:20, 5:20], "top right": image[5:20, width - 20 : width - 5],
        "bottom left": image[height - 20 : height - 5, 5:20], "bottom right": image[height - 20 :, width - 20 :],
    }  # fmt: skip
    dark = {name for name, corner in corners.items() if corner.mean() < 30}
    assert dark == {{90: "bottom left", 180: "bottom right", -90: "top right"}[rotation]}


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no video file"):
        Video(tmp_path / "none.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("not a video " * 100)
    with pytest.raises(UserError, match=r"text\.mp4 cannot be read as a video"):
        Video(text)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(UserError, match="cannot be read"):
        Video(empty)
    whole = write(tmp_path / "v.mp4", [40 * i for i in range(25)])
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"cut\.mp4"):
        Video(cut)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(UserError, match="no video stream"):
        Video(path)


def test_written_video_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "out" / "v.mp4"
    with VideoWriter(path, 25.0, 161, 97) as writer:
        for number in range(10):
            writer.write(numbered(number, 161, 97))
        assert not path.exists()
    video = Video(path)
    assert (video.info.width, video.info.height) == (160, 96)
    assert len(list(video)) == 10
    with (
        pytest.raises(RuntimeError, match="stop"),
        VideoWriter(tmp_path / "out" / "w.mp4", 25.0, 160, 96) as writer,
    ):
        writer.write(numbered(0))
        raise RuntimeError("stop")
    assert [entry.name for entry in path.parent.iterdir()] == ["v.mp4"]
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="cannot be written"),
        VideoWriter(tmp_path / "file" / "v.mp4", 25.0, 160, 96),
    ):
        pass
