# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch job inside a worker: one clip onto one rig, into several formats."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ..armature.exporting import export_rig
from ..armature.importing import OpenRig, find_armature, open_rig
from ..clips import read_clip
from ..headless import Job, account, put_on

KEPT = (
    8  # rigs that a worker keeps as Blender files; reading one again is several times faster than importing
)

_folder = tempfile.TemporaryDirectory(prefix="videomdm-rigs-", ignore_cleanup_errors=True)
_rigs: OrderedDict[tuple[str, str, str], tuple[Path, str, dict[str, str] | None]] = OrderedDict()


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Do a job and write its files.

    request: ``job``, the fields of :class:`videomdm_blender.headless.Job`; ``outs``, the files to write;
             ``rig_hash``, the rig's content.
    """
    job = Job(out=request["outs"][0], **request["job"])
    motion = read_clip(Path(job.clip))
    rig = _open(Path(job.rig), job.armature, request["rig_hash"])
    scene, applied = put_on(job, motion, rig)
    for out in request["outs"]:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        export_rig(Path(out), scene, rig.armature, applied)
    return asdict(account(job, scene, applied))


def _open(path: Path, name: str, content: str) -> OpenRig:
    """Open a rig as its file has it, however it was opened before."""
    key = (str(path), name, content)
    if key in _rigs:
        _rigs.move_to_end(key)
        kept, armature, humanoid = _rigs[key]
        bpy.ops.wm.open_mainfile(filepath=str(kept), load_ui=False, use_scripts=False)
        return OpenRig(find_armature(path.name, armature), humanoid)
    rig = open_rig(path, name)
    if path.suffix.lower() != ".blend":
        kept = Path(_folder.name) / f"{len(_rigs)}-{content[:16]}.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(kept), copy=True, check_existing=False, relative_remap=False)
        _rigs[key] = kept, rig.armature.name, rig.humanoid
        while len(_rigs) > KEPT:
            _rigs.popitem(last=False)[1][0].unlink(missing_ok=True)
    return rig
