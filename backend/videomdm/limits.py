# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a model: the limits of a request, in one place, and their checks.

Every check raises :class:`videomdm.errors.UserError` with one sentence about what is wrong and one about what
to do.  The command line, the client, the server and the pipeline all call the same functions.  Nothing here
imports more than the standard library.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

from .errors import UserError

MAX_PROMPT_CHARACTERS = 1000
MIN_SECONDS = 0.5
MAX_SECONDS = 10.0  # of one generated clip
MAX_SEED = 2**31 - 1  # what a Blender IntProperty can hold
MAX_GUIDANCE = 20.0
MAX_STEPS = 1000
MAX_SAMPLES = 16
MAX_FOOTAGE_FRAMES = 7200  # of one lift: two minutes at 60 fps
MAX_KEYPOINTS = 256  # in one frame
MAX_FPS = 1000.0
MAX_IMAGE_SIDE = 32768  # pixels


def check_text_request(
    *, prompt: str, seconds: float, seed: int, guidance: float, steps: int, samples: int
) -> None:
    """Raise UserError unless all values of a text request can be used."""
    check_prompt(prompt)
    check_seconds(seconds)
    check_sampling(seed=seed, guidance=guidance, steps=steps)
    check_samples(samples)


def check_sampling(*, seed: int, guidance: float, steps: int) -> None:
    """Raise UserError unless seed, guidance scale and number of denoising steps can be used."""
    check_seed(seed)
    check_guidance(guidance)
    check_steps(steps)


def check_prompt(prompt: str, *, required: bool = True) -> None:
    """A prompt is text of at most ``MAX_PROMPT_CHARACTERS``, not blank where it is ``required``."""
    if not isinstance(prompt, str):
        raise UserError("The prompt is not text.", "Describe the motion in words.", "bad-prompt")
    if required and not prompt.strip():
        raise UserError(
            "The prompt is empty.", 'Describe the motion, for example "a person waves".', "bad-prompt"
        )
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise UserError(
            f"The prompt has {len(prompt)} characters; at most {MAX_PROMPT_CHARACTERS} are read.",
            "Shorten it.",
            "bad-prompt",
        )
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise UserError("The prompt is not valid Unicode text.", "Type it again.", "bad-prompt") from error


def check_seconds(seconds: float, maximum: float = MAX_SECONDS) -> None:
    """The length of a clip lies between ``MIN_SECONDS`` and ``maximum`` (a model may allow less)."""
    _check_number("length", seconds, MIN_SECONDS, maximum, unit=" seconds", code="bad-seconds")


def check_seed(seed: int) -> None:
    """A seed is a whole number from 0 to ``MAX_SEED``."""
    _check_whole("seed", seed, 0, MAX_SEED, code="bad-seed")


def check_guidance(guidance: float) -> None:
    """The guidance scale lies between 0 (ignore the prompt) and ``MAX_GUIDANCE``."""
    _check_number("guidance scale", guidance, 0.0, MAX_GUIDANCE, code="bad-guidance")


def check_steps(steps: int) -> None:
    """The number of denoising steps lies between 1 and ``MAX_STEPS``."""
    _check_whole("number of steps", steps, 1, MAX_STEPS, code="bad-steps")


def check_samples(samples: int) -> None:
    """The number of takes made from one prompt lies between 1 and ``MAX_SAMPLES``."""
    _check_whole("number of samples", samples, 1, MAX_SAMPLES, code="bad-samples")


def check_footage(*, frames: int, keypoints: int, fps: float, width: int, height: int) -> None:
    """The keypoints of one piece of footage: ``frames`` x ``keypoints``, in images of so many pixels."""
    code = "bad-keypoints"
    _check_whole("number of footage frames", frames, 1, MAX_FOOTAGE_FRAMES, code=code)
    _check_whole("number of keypoints in a frame", keypoints, 1, MAX_KEYPOINTS, code=code)
    _check_whole("width of the footage", width, 1, MAX_IMAGE_SIDE, unit=" pixels", code=code)
    _check_whole("height of the footage", height, 1, MAX_IMAGE_SIDE, unit=" pixels", code=code)
    _check_number("frame rate of the footage", fps, 1.0, MAX_FPS, unit=" frames per second", code=code)


def _check_number(
    name: str, value: float, minimum: float, maximum: float, *, unit: str = "", code: str
) -> None:
    usable = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or not minimum <= value <= maximum:
        raise UserError(
            f"The {name} is {_shown(value)}{unit if usable else ''}.",
            f"Give a number from {minimum:g} to {maximum:g}{unit}.",
            code,
        )


def _check_whole(name: str, value: int, minimum: int, maximum: int, *, unit: str = "", code: str) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not minimum <= value <= maximum:
        raise UserError(
            f"The {name} is {_shown(value)}{unit if whole else ''}.",
            f"Give a whole number from {minimum} to {maximum}{unit}.",
            code,
        )


def _shown(value: object) -> str:
    """A value as it stands in a sentence; what is no number is quoted, and nothing is long."""
    text = f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, int) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
