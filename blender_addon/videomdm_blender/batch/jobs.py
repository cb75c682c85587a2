# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to do: a list in a file, or every clip of some folders onto every rig of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import videomdm
from videomdm.errors import UserError

from ..controls.limb import Controls
from ..edit.settings import TakeSettings
from ..headless import require_shown

CLIPS = (".npz", ".bvh")  # in folders a .bvh file is a clip; as a rig it must be named in a list
RIGS = (".blend", ".fbx", ".glb", ".gltf", ".vrm", ".usd", ".usda", ".usdc", ".usdz")
FORMATS = ("fbx", "glb", "bvh", "usd", "usdz", "blend")
LIST = ".jsonl"


@dataclass(frozen=True)
class BatchJob:
    """One clip onto one rig.

    name:    of the files, under the folder of results and without suffix; made from the rig and the clip
             where it is empty.
    formats: of the files.
    The rest is that of ``videomdm retarget``.
    """

    clip: Path
    rig: Path
    formats: tuple[str, ...]
    name: str = ""
    armature: str = ""
    mapping: Path | None = None
    fps: float | None = None
    start_frame: int = 1
    controls: str = Controls.FK.value
    contact: bool | Literal["auto"] = "auto"
    settings: TakeSettings = field(default_factory=TakeSettings)

    def __post_init__(self) -> None:
        for suffix in self.formats:
            require_shown(Path(f"take.{suffix}"), self.settings)

    def outs(self, folder: Path) -> list[Path]:
        """The files that are made."""
        return [folder / f"{self.name}.{suffix}" for suffix in self.formats]


class Hashes:
    """Hashes of files' contents; each file is read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def read(self, paths: Iterable[Path]) -> None:
        """Hash many files at once: reading, and hashing what was read, use all cores."""
        new = [path for path in dict.fromkeys(paths) if path not in self._known]
        with ThreadPoolExecutor() as threads:
            self._known.update(zip(new, threads.map(_hash, new), strict=True))

    def of(self, path: Path) -> str:
        """SHA-256 of a file, or "missing"; a file that is not there fails when its job is done."""
        if path not in self._known:
            self.read([path])
        return self._known[path]

    def key(self, job: BatchJob) -> str:
        """What a job is known by: the contents of its files, its settings, and the version of the program."""
        settings = asdict(job) | {
            "clip": self.of(job.clip),
            "rig": self.of(job.rig),
            "mapping": self.of(job.mapping) if job.mapping else None,
            "take": job.clip.stem,
            "suffix": job.rig.suffix.lower(),
            "version": videomdm.__version__,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "missing"


def collect(sources: Sequence[Path], defaults: BatchJob, out: Path) -> list[BatchJob]:
    """The jobs of lists (.jsonl), and of folders, clips and rigs; the same order wherever it is called.

    defaults: settings of the jobs that do not say otherwise.
    out:      folder of results, which is not searched.

    UserError where a source or a line cannot be used, or two jobs would write the same file.
    """
    jobs: list[BatchJob] = []
    clips: list[Path] = []
    rigs: list[Path] = []
    for source in sources:
        if not source.exists():
            raise UserError(f"{source} does not exist.", "Check the path.", "no-file")
        if source.suffix.lower() == LIST:
            jobs += _read_list(source, defaults)
            continue
        files = sorted(_files(source, out)) if source.is_dir() else [source]
        found = [path for path in files if path.suffix.lower() in CLIPS + RIGS]
        if not found:
            raise UserError(
                f"{source} holds neither clips nor rigs.",
                f"Clips are {', '.join(CLIPS)}; rigs are {', '.join(RIGS)}; lists of jobs are {LIST}.",
                "no-jobs",
            )
        clips += [path for path in found if path.suffix.lower() in CLIPS]
        rigs += [path for path in found if path.suffix.lower() in RIGS]
    if clips or rigs:
        if not clips or not rigs:
            missing = "rigs" if clips else "clips"
            raise UserError(
                f"There are no {missing} in what was given.", f"Give a folder with {missing} too.", "no-jobs"
            )
        jobs += [replace(defaults, clip=clip, rig=rig) for rig in rigs for clip in clips]
    if not jobs:
        raise UserError(
            "There is nothing to do.", "Give a list of jobs, or folders of clips and rigs.", "no-jobs"
        )
    named = _named(jobs)
    _require_distinct(named, out)
    return named


def _files(folder: Path, out: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.is_file() and not hidden and out.resolve() not in path.resolve().parents:
            yield path


def _read_list(path: Path, defaults: BatchJob) -> Iterator[BatchJob]:
    known = {field.name for field in fields(BatchJob)}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The list {path} cannot be read.", "Check the file.", "bad-list") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        advice = 'Each line is an object such as {"clip": "walk.npz", "rig": "hero.fbx"}.'
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            if unknown := sorted(entry.keys() - known):
                raise ValueError(f"unknown {', '.join(unknown)}")
            if missing := sorted({"clip", "rig"} - entry.keys()):
                raise ValueError(f"no {' and no '.join(missing)}")
            yield _entry(entry, path.parent, defaults)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"Line {number} of {path} cannot be used ({error}).", advice, "bad-list"
            ) from error


def _entry(entry: dict[str, Any], folder: Path, defaults: BatchJob) -> BatchJob:
    """A job of a list; its paths are relative to the list."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "clip": str, "rig": str, "name": str, "armature": str, "mapping": str, "fps": (int, float),
        "start_frame": int, "formats": list, "controls": str, "settings": dict,
        "contact": (bool, str),
    }  # fmt: skip
    for key, value in entry.items():
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and key != "contact"):
            raise ValueError(f"{key} is {value!r}")
    changes = dict(entry)
    for key in ("clip", "rig", "mapping"):
        if key in changes:
            changes[key] = folder / changes[key]
    if "formats" in changes:
        changes["formats"] = parse_formats(",".join(map(str, changes["formats"])))
    if "fps" in changes and not 1 <= changes["fps"] <= 240:
        raise ValueError("fps must be from 1 to 240")
    if "controls" in changes:
        Controls(changes["controls"])
    if isinstance(changes.get("contact"), str) and changes["contact"] != "auto":
        raise ValueError(f"contact is {changes['contact']!r}")
    if "settings" in changes:
        changes["settings"] = _settings(changes["settings"], defaults.settings)
    name = Path(changes.get("name", ""))
    if name.is_absolute() or ".." in name.parts:
        raise ValueError("name must stay below the folder of results")
    return replace(defaults, **changes)


def _settings(entry: dict[str, Any], defaults: TakeSettings) -> TakeSettings:
    """Settings of a take; those that are not given are the defaults."""
    plain = asdict(defaults)
    for name, value in entry.items():
        if name not in plain:
            raise ValueError(f"unknown setting {name}")
        wanted = type(plain[name])
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, (int, wanted)):
            raise ValueError(f"setting {name} is {value!r}")
    return TakeSettings(**(plain | entry))


def parse_formats(text: str) -> tuple[str, ...]:
    """The formats of a list with commas, each once; UserError where one is unknown."""
    formats = tuple(
        dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip())
    )
    unknown = [word for word in formats if word not in FORMATS]
    if unknown or not formats:
        raise UserError(
            f"{', '.join(unknown) or 'Nothing'} is no format.",
            f"Use some of {','.join(FORMATS)}.",
            "bad-format",
        )
    return formats


def _named(jobs: Iterable[BatchJob]) -> list[BatchJob]:
    """Every job with a name: rig/clip, with their suffixes too where two files have the same stem."""
    jobs = list(jobs)
    rigs, clips = (_short_names(getattr(job, kind) for job in jobs) for kind in ("rig", "clip"))
    return [job if job.name else replace(job, name=f"{rigs[job.rig]}/{clips[job.clip]}") for job in jobs]


def _short_names(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for each file: its stem; where that is not enough with the suffix; then with the folder."""
    unique = list(dict.fromkeys(paths))
    ways = (
        lambda path: path.stem,
        lambda path: path.name.replace(".", "_"),
        lambda path: f"{path.parent.name}_{path.name.replace('.', '_')}",
    )
    names: dict[Path, str] = {}
    for path in unique:
        for way in ways:
            names[path] = way(path)
            if sum(way(other).lower() == names[path].lower() for other in unique) == 1:
                break
    return names


def _require_distinct(jobs: Sequence[BatchJob], out: Path) -> None:
    owner: dict[str, BatchJob] = {}
    for job in jobs:
        for path in job.outs(out):
            other = owner.setdefault(str(path).lower(), job)
            if other is not job:
                raise UserError(
                    f"{other.clip} on {other.rig} and {job.clip} on {job.rig} would both be written to {path}.",
                    "Give the jobs names of their own in a list of jobs.",
                    "same-name",
                )
