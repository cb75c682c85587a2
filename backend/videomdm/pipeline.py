# SPDX-License-Identifier: Apache-2.0
"""The one way to run a model: prompt -> motion, keypoints -> motion.

Shape letters: B batch, T frames, J 22 joints, D 263.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from . import limits
from .diffusion.guidance import text_guided
from .diffusion.sampling import Callback, Step, ddim
from .diffusion.schedule import cosine
from .errors import UserError
from .keypoints import Keypoints
from .lifting import RESTING_FOOT, Footage, LiftSettings, lift_footage
from .model.adapter import load_denoiser
from .model.checkpoint import load_model
from .model.denoiser import Denoiser
from .model.lifter import Lifter
from .model.registry import LIFTER, ModelInfo, available_models, base_of, find_model, model_info
from .model.text import text_encoder
from .motion.clip import FPS, Motion
from .motion.representation import CONTACTS, POSITIONS, ROOT_HEIGHT, decode
from .motion.skeleton import CONTACT_JOINTS

__all__ = ["LiftRequest", "ModelInfo", "Pipeline", "TextRequest", "available_models"]

Progress = Callable[[float, str, Motion | None], None]


@dataclass(frozen=True)
class TextRequest:
    """A motion from words.

    seconds:  length of the clip.
    seed:     the same seed, prompt and model give the same motion.
    guidance: classifier-free guidance scale; 0 ignores the prompt, 1 follows it as training did, 2.5 is usual.
    steps:    denoising steps, at most the model's own.
    samples:  how many takes to make at once.
    """

    prompt: str
    seconds: float = 5.0
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20
    samples: int = 1

    def check(self) -> None:
        """Raise UserError unless every value can be used."""
        limits.check_text_request(**asdict(self))


@dataclass(frozen=True)
class LiftRequest:
    """A motion from the keypoints of footage; the prompt may say what is seen."""

    keypoints: Keypoints
    prompt: str = ""
    seed: int = 0
    guidance: float = 2.5
    steps: int = 20

    def check(self) -> None:
        """Raise UserError unless every value can be used."""
        limits.check_prompt(self.prompt, required=False)
        limits.check_sampling(seed=self.seed, guidance=self.guidance, steps=self.steps)
        limits.check_footage(
            frames=len(self.keypoints),
            keypoints=self.keypoints.points.shape[1],
            fps=self.keypoints.fps,
            width=self.keypoints.width,
            height=self.keypoints.height,
        )


def choose_device(name: str) -> torch.device:
    """The torch device called ``name``; "auto" takes CUDA, then Apple's MPS, then the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"The device {name!r} cannot be used here.", "Choose cpu, or auto for the best one.", "bad-device"
        ) from error
    return device


class Pipeline:
    """A loaded model, ready to run requests one after the other."""

    def __init__(
        self,
        denoiser: Denoiser,
        lifter: Lifter | None,
        mean: Tensor,
        std: Tensor,
        steps: int,
        info: ModelInfo,
    ) -> None:
        self.denoiser = denoiser
        self.lifter = lifter
        self.mean = mean
        self.std = std
        self.schedule = cosine(steps).to(mean.device)
        self.info = info
        self.device = mean.device
        self.encoder = text_encoder("cpu")

    @property
    def device_name(self) -> str:
        """What the model runs on, as people call it."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return {"cpu": "CPU", "mps": "Apple GPU"}.get(self.device.type, self.device.type)

    @classmethod
    def load(cls, model: str = "base", device: str = "auto") -> Pipeline:
        """Load a model by name or folder; UserError where it is missing or corrupt."""
        folder = find_model(model)
        where = choose_device(device)
        file = load_denoiser(folder, where)
        if not {"mean", "std"} <= file.tensors.keys():
            raise UserError(
                f"The model in {folder} lacks its normalisation.", "Train it again.", code="corrupt-model"
            )
        assert isinstance(file.network, Denoiser)
        lifter = None
        lifter_file = base_of(folder) / LIFTER
        if lifter_file.is_file():
            network = load_model(lifter_file, Lifter, where).network
            assert isinstance(network, Lifter)
            lifter = network
        return cls(
            file.network,
            lifter,
            file.tensors["mean"],
            file.tensors["std"],
            int(file.meta.get("diffusion_steps", 50)),
            model_info(folder, where.type),
        )

    def generate(self, request: TextRequest, progress: Progress | None = None) -> list[Motion]:
        """Motions of a prompt, facing +Z from the origin, on the floor.

        ``progress`` is called after every denoising step and may raise Cancelled.
        """
        request.check()
        limits.check_seconds(request.seconds, self.info.max_seconds)
        frames = max(1, round(request.seconds * FPS))
        patch = self.denoiser.config.patch
        T = -(-frames // patch) * patch
        text, mask = self._text(request.prompt, request.samples)
        denoise = text_guided(self.denoiser, text, mask, request.guidance)
        noise = self._noise(request.seed, request.samples, T)
        provenance = {"kind": "text", "model": self.info.name, **asdict(request)}

        def motions(x0: Tensor) -> list[Motion]:
            features = on_floor((x0.float() * self.std + self.mean)[:, :frames])
            return [
                self._motion(f, request.prompt, {**provenance, "sample": i}) for i, f in enumerate(features)
            ]

        x0 = ddim(denoise, noise, self.schedule, request.steps, _reporting(progress, motions))
        return motions(x0)

    def lift(self, request: LiftRequest, progress: Progress | None = None) -> Motion:
        """The motion of footage: a body fitted to what was seen, the model answering for what was not.

        ``progress`` is called after every denoising step and every stage of a fit, and may raise Cancelled.
        """
        request.check()
        if self.lifter is None:
            raise UserError(
                f"The model {self.info.name} has no lifter for footage.",
                "Choose another model with --model.",
                code="no-lifter",
            )
        footage = Footage.of(request.keypoints, self.device)
        text, mask = self._text(request.prompt, 1)
        positions = lift_footage(
            footage,
            self.lifter,
            text_guided(self.denoiser, text, mask, request.guidance),
            self.schedule,
            self.mean,
            self.std,
            LiftSettings(seed=request.seed, steps=request.steps, window=self.denoiser.config.max_frames),
            progress,
        )
        provenance = {
            "kind": "lift",
            "model": self.info.name,
            "source": request.keypoints.source,
            "seed": request.seed,
            "guidance": request.guidance,
            "steps": request.steps,
        }
        return Motion(positions.cpu().numpy(), FPS, caption=request.prompt, provenance=provenance)

    def _text(self, prompt: str, samples: int) -> tuple[Tensor, Tensor]:
        self.encoder.check(prompt)
        states, mask = self.encoder([prompt] * samples)
        return states.to(self.device), mask.to(self.device)

    def _noise(self, seed: int, samples: int, T: int) -> Tensor:
        """The same numbers on every device; each sample's own, however many are made at once."""
        rows = []
        for sample in range(samples):
            generator = torch.Generator().manual_seed(seed + 1_000_003 * sample)
            rows.append(torch.randn(T, self.denoiser.config.features, generator=generator))
        return torch.stack(rows).to(self.device)

    def _motion(self, features: Tensor, caption: str, provenance: dict[str, object]) -> Motion:
        positions = decode(features).cpu().numpy()
        contacts = (features[:, CONTACTS] > 0.5).cpu().numpy()
        return Motion(positions, FPS, contacts, features.cpu().numpy(), caption, provenance)


def on_floor(features: Tensor) -> Tensor:
    """Features (B, T, 263) raised or lowered as a whole, so that the lower foot mostly rests on the floor."""
    lowest = decode(features)[..., list(CONTACT_JOINTS), 1].amin(-1)
    shift = torch.quantile(lowest, 0.2, dim=1) - RESTING_FOOT
    heights = torch.zeros(features.shape[-1], device=features.device)
    heights[ROOT_HEIGHT] = 1.0
    heights[POSITIONS.start + 1 : POSITIONS.stop : 3] = 1.0
    return features - shift[:, None, None] * heights


def _reporting(progress: Progress | None, motions: Callable[[Tensor], list[Motion]]) -> Callback | None:
    """A sampler's callback that reports each step with a preview of the first sample's x0 estimate."""
    if progress is None:
        return None

    def callback(step: Step) -> None:
        done = step.index + 1
        progress(done / step.count, f"denoising {done}/{step.count}", motions(step.denoised[:1])[0])

    return callback
