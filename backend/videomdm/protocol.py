# SPDX-License-Identifier: Apache-2.0
"""The messages between client and server, and how they become ZeroMQ frames.

A message is a list of frames::

    frame 0     b"videomdm/1": who speaks, and the protocol version
    frame 1     header: one msgpack map, typed by the tagged structs below (its ``type`` names the struct)
    frame 2...  raw arrays, little-endian and C-contiguous; the header holds {dtype, shape, bytes, frame} in
                the array's place

Client to server: :class:`Hello`, :class:`TextJob`, :class:`LiftJob`, :class:`Cancel`, :class:`FetchTake`,
:class:`ListTakes`, :class:`Ping`.  Server to client: :class:`Welcome`, :class:`Accepted`,
:class:`Progress`, :class:`Result`, :class:`Failed`, :class:`Cancelled`, :class:`Takes`, :class:`Pong`.
A conversation begins with Hello and Welcome.  Everything that belongs to one request carries the request's
id, ``job``, made by the client.

The receiver checks frame counts and sizes before it looks at the header, and dtype, shape and byte length of
every array before it uses it.  An unknown message, field or dtype is an error that names it: nothing is
dropped in silence.  No object is ever unpickled.  Arrays of received messages are read-only views of the
frames.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, get_args

import msgspec
import numpy as np

from . import __version__, limits
from .errors import UserError
from .motion.clip import Motion

PROTOCOL_VERSION = 1
PREFIX = b"videomdm/%d" % PROTOCOL_VERSION

HEARTBEAT_SECONDS = 1.0  # a client that has sent nothing for so long sends a Ping
LIVENESS = 3  # heartbeats without an answer after which the other side counts as gone

MAX_HEADER_BYTES = 256 * 1024
MAX_ARRAYS = 64
MAX_FRAME_BYTES = 32 * 1024 * 1024
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_DIMENSIONS = 4

MAX_CARD = 2000  # bytes of a model's card: a hundred models must fit into one header

DTYPES = {"<f4": np.dtype("<f4"), "|b1": np.dtype("bool")}

JobId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Sentence = Annotated[str, msgspec.Meta(max_length=4000)]


def new_job_id() -> str:
    """A fresh id for a request: 32 hexadecimal digits of a random UUID."""
    return uuid.uuid4().hex


class ProtocolError(UserError):
    """Frames that are no message of this protocol; ``job`` is the request's id where it could be read."""

    def __init__(self, message: str, advice: str = "", code: str = "malformed", job: str = "") -> None:
        super().__init__(message, advice, code)
        self.job = job


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag=True):
    """What all messages share: they are frozen, typed, and refuse fields that they do not know."""


# --- client to server -------------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """The first message of a client."""

    token: Name
    version: int = PROTOCOL_VERSION
    client: Name = f"videomdm {__version__}"


class TextJob(Message, frozen=True):
    """Make motions from words.

    Fields as in ``pipeline.TextRequest``; ``model`` "" means the server's default.
    """

    prompt: str
    seconds: float = 5.0
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20
    samples: int = 1
    model: Name = ""
    job: JobId = msgspec.field(default_factory=new_job_id)


class LiftJob(Message, frozen=True, eq=False):
    """Make one motion from the 2D keypoints of footage, helped by words where there are any.

    points:     (T, K, 2) float32 pixels, origin top left, in the canonical layout of ``videomdm.keypoints``.
    confidence: (T, K) float32, 0 where a point was not seen.
    source:     the file the points came from; provenance: how they were made (JSON values only).
    """

    points: np.ndarray
    confidence: np.ndarray
    fps: float
    width: int
    height: int
    source: Sentence = ""
    provenance: dict[str, Any] = {}
    prompt: str = ""
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20
    model: Name = ""
    job: JobId = msgspec.field(default_factory=new_job_id)

    @classmethod
    def of(cls, keypoints: Any, **settings: Any) -> LiftJob:
        """The job for a ``videomdm.keypoints`` ``Keypoints``; ``settings`` are the other fields."""
        return cls(
            points=np.ascontiguousarray(keypoints.points, dtype=np.float32),
            confidence=np.ascontiguousarray(keypoints.confidence, dtype=np.float32),
            fps=float(keypoints.fps),
            width=int(keypoints.width),
            height=int(keypoints.height),
            source=str(keypoints.source),
            provenance=dict(keypoints.provenance),
            **settings,
        )


class Cancel(Message, frozen=True):
    """Stop a job before its next denoising step."""

    job: JobId


class FetchTake(Message, frozen=True):
    """Ask for the :class:`Result` of a job in the server's library."""

    job: JobId


class ListTakes(Message, frozen=True):
    """Ask for the newest takes of the server's library, those made before ``before`` (seconds since 1970)."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    before: float | None = None
    job: JobId = msgspec.field(default_factory=new_job_id)


class Ping(Message, frozen=True):
    """A heartbeat."""


# --- server to client -------------------------------------------------------------------------------------


class Model(Message, frozen=True):
    """A model that the server can run.

    skeleton: name of the skeleton of its motions; commercial: whether its licence allows commercial use.
    card:     the beginning of its card, Markdown; base: the model that it was fine-tuned from, or "".
    """

    name: Name
    fps: float
    skeleton: Name
    licence: Sentence
    max_seconds: float
    commercial: bool
    card: Annotated[str, msgspec.Meta(max_length=MAX_CARD)] = ""
    base: Name = ""


class Welcome(Message, frozen=True):
    """The answer to Hello.

    server:       id of this run of the server, new at each start.
    capabilities: what it can do: "text", "lift", "preview", "library".
    default:      name of the model that runs where a job names none.
    device:       what it runs on, as people call it: "NVIDIA H200", "CPU".
    """

    server: JobId
    capabilities: list[Name]
    models: list[Model]
    default: Name
    device: Name = ""
    version: int = PROTOCOL_VERSION
    software: Name = f"videomdm {__version__}"


class Accepted(Message, frozen=True):
    """The job is known; ``ahead`` jobs run before it (0 when it runs)."""

    job: JobId
    ahead: int = 0


class Progress(Message, frozen=True, eq=False):
    """How far a job is: ``fraction`` 0 to 1, ``stage`` in words, now and then a preview of the motion."""

    job: JobId
    fraction: float
    stage: Sentence
    preview: Motion | None = None


class Result(Message, frozen=True, eq=False):
    """The finished takes of a job; ``stored`` is False where the server's library could not keep them."""

    job: JobId
    motions: list[Motion]
    stored: bool = True


class Failed(Message, frozen=True):
    """A job or a message that cannot be done.  ``job`` is "" where the failure belongs to no job.

    ``code`` is a stable word, ``message`` says what is wrong, ``advice`` what to do.
    """

    code: Name
    message: Sentence
    advice: Sentence = ""
    job: str = ""

    @classmethod
    def of(cls, error: UserError, job: str = "") -> Failed:
        """The message for an error; texts that are too long for the wire are cut."""
        return cls(error.code[:200], error.message[:4000], error.advice[:4000], job)

    def error(self) -> UserError:
        """The error that this message reports."""
        return UserError(self.message, self.advice, self.code)


class Cancelled(Message, frozen=True):
    """The job was cancelled and leaves nothing behind."""

    job: JobId


class Take(Message, frozen=True):
    """One line of the library's list: a finished job and its clips."""

    job: JobId
    created: float  # seconds since 1970
    model: str
    caption: str
    samples: int
    frames: int
    fps: float


class Takes(Message, frozen=True):
    """The answer to ListTakes, newest first."""

    job: JobId
    takes: list[Take]


class Pong(Message, frozen=True):
    """The answer to Ping."""


Job = TextJob | LiftJob
Request = Hello | TextJob | LiftJob | Cancel | FetchTake | ListTakes | Ping
Event = Welcome | Accepted | Progress | Result | Failed | Cancelled | Takes | Pong


_KEYPOINTS = ("points", "confidence", "fps", "width", "height", "source", "provenance")


def settings_of(job: Job) -> dict[str, Any]:
    """What a job asks for beside its keypoints, by the names of ``pipeline.TextRequest`` and ``LiftRequest``."""
    others = (*_KEYPOINTS, "model", "job")
    return {name: getattr(job, name) for name in job.__struct_fields__ if name not in others}


def keypoints_of(job: LiftJob) -> dict[str, Any]:
    """The keypoints of a job, by the names of ``videomdm.keypoints`` ``Keypoints``."""
    return {name: getattr(job, name) for name in _KEYPOINTS}


def check_job(job: Job) -> None:
    """Raise UserError unless the job keeps the limits of ``videomdm.limits``."""
    if isinstance(job, TextJob):
        limits.check_text_request(**settings_of(job))
        return
    limits.check_prompt(job.prompt, required=False)
    limits.check_sampling(seed=job.seed, guidance=job.guidance, steps=job.steps)
    advice = "Detect the keypoints again, or choose another file."
    if job.points.ndim != 3 or job.points.shape[2] != 2 or job.confidence.shape != job.points.shape[:2]:
        raise UserError(
            f"The keypoints have shapes {job.points.shape} and {job.confidence.shape}, "
            "not (frames, keypoints, 2) and (frames, keypoints).",
            advice,
            "bad-keypoints",
        )
    frames, keypoints, _ = job.points.shape
    limits.check_footage(frames=frames, keypoints=keypoints, fps=job.fps, width=job.width, height=job.height)
    if not (np.isfinite(job.points).all() and np.isfinite(job.confidence).all()):
        raise UserError("The keypoints hold NaN or infinite values.", advice, "bad-keypoints")


# --- frames -----------------------------------------------------------------------------------------------


class _ArrayHeader(msgspec.Struct, forbid_unknown_fields=True):
    """What stands in the header in an array's place."""

    dtype: str
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=MAX_DIMENSIONS)]
    bytes: int
    frame: int


class _Probe(msgspec.Struct):
    """What can be read of a header that is not valid: enough to answer it."""

    type: Any = None
    job: Any = None


def encode(message: Message) -> list[bytes]:
    """The frames of a message; UserError where it is larger than the wire allows."""
    arrays: list[bytes] = []

    def declare(value: Any) -> dict[str, Any]:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{type(value).__name__} has no place in a message")
        dtype = value.dtype.newbyteorder("<")
        if dtype.str not in DTYPES:
            raise TypeError(f"arrays of {value.dtype} have no place in a message")
        arrays.append(np.ascontiguousarray(value, dtype=dtype).tobytes())
        return {
            "dtype": dtype.str,
            "shape": list(value.shape),
            "bytes": len(arrays[-1]),
            "frame": len(arrays) - 1,
        }

    header = msgspec.msgpack.encode(message, enc_hook=declare)
    frames = [PREFIX, header, *arrays]
    _check_sizes(frames)
    return frames


def decode(frames: Sequence[bytes], kinds: UnionType) -> Any:
    """The message in ``frames``, one of the structs in the union ``kinds`` (``Request`` or ``Event``).

    Raises :class:`ProtocolError` for everything else, whatever the bytes are.
    """
    if not frames or not re.fullmatch(rb"videomdm/\d{1,6}", frames[0]):
        raise ProtocolError("That is no videomdm message.", "Use a videomdm client of this version.")
    if frames[0] != PREFIX:
        theirs = frames[0].rpartition(b"/")[2].decode()
        raise ProtocolError(
            f"The other side speaks protocol version {theirs}, this one {PROTOCOL_VERSION}.",
            "Install the same version of videomdm on both sides.",
            "wrong-version",
        )
    if len(frames) < 2:
        raise ProtocolError("The message has no header.", "Use a videomdm client of this version.")
    _check_sizes(frames)
    header, arrays = frames[1], frames[2:]
    used: set[int] = set()

    def fill(kind: type, value: Any) -> np.ndarray:
        if kind is not np.ndarray:
            raise TypeError(f"{kind.__name__} has no place in a message")
        try:
            declared = msgspec.convert(value, _ArrayHeader)
        except msgspec.ValidationError as error:
            raise ValueError(f"no array header: {error}") from error  # msgspec adds the field's name
        used.add(declared.frame)
        return _array(declared, arrays)

    try:
        message = msgspec.msgpack.decode(header, type=kinds, dec_hook=fill)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise _explain(header, kinds, error) from error
    if len(used) != len(arrays):
        raise ProtocolError(
            f"The message has {len(arrays)} arrays, and its header names {len(used)}.",
            "Use a videomdm client of this version.",
            job=getattr(message, "job", ""),
        )
    return message


def _check_sizes(frames: Sequence[bytes]) -> None:
    sizes = [len(frame) for frame in frames]
    if (
        len(frames) - 2 > MAX_ARRAYS
        or sizes[1] > MAX_HEADER_BYTES
        or max(sizes) > MAX_FRAME_BYTES
        or sum(sizes) > MAX_MESSAGE_BYTES
    ):
        raise ProtocolError(
            f"A message of {len(frames)} frames and {sum(sizes)} bytes is too large.",
            "Ask for fewer samples, or send shorter footage.",
            "too-large",
        )


def _array(declared: _ArrayHeader, frames: Sequence[bytes]) -> np.ndarray:
    """The declared array as a read-only view of its frame; ValueError where it is not what was declared."""
    dtype = DTYPES.get(declared.dtype)
    if dtype is None:
        raise ValueError(f"arrays of dtype {declared.dtype[:20]!r} are not allowed")
    if not 0 <= declared.frame < len(frames):
        raise ValueError(f"there is no array {declared.frame}")
    frame = frames[declared.frame]
    size = math.prod(declared.shape) * dtype.itemsize
    if not size == declared.bytes == len(frame):
        raise ValueError(
            f"array {declared.frame} needs {size} bytes, declares {declared.bytes}, has {len(frame)}"
        )
    if dtype.kind == "b" and frame and max(frame) > 1:
        raise ValueError(f"array {declared.frame} holds bytes that are neither true nor false")
    return np.frombuffer(frame, dtype=dtype).reshape(declared.shape)


def _explain(header: bytes, kinds: UnionType, error: Exception) -> ProtocolError:
    """Name what cannot be done in a header that is not valid."""
    try:
        probe = msgspec.msgpack.decode(header, type=_Probe)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ProtocolError("The message's header cannot be read.", "Use a videomdm client of this version.")
    job = probe.job if isinstance(probe.job, str) and re.fullmatch(r"[0-9a-f]{32}", probe.job) else ""
    names = [kind.__name__ for kind in get_args(kinds)]
    if probe.type not in names:
        return ProtocolError(
            f"Messages of type {str(probe.type)[:40]!r} are not known here.",
            f"Known are: {', '.join(names)}.",
            "unknown-message",
            job,
        )
    return ProtocolError(
        f"The {probe.type} message is not valid: {str(error)[:500]}.",
        "Use a videomdm client of this version.",
        "malformed",
        job,
    )
