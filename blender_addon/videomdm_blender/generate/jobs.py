# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs that this Blender has asked for, and the takes that came back, on the main thread.

A job remembers the scene and the armature it is meant for by Blender's session ids, which survive renaming
and undo.  When its takes arrive, the first becomes an Action on that armature and one undo step; where that
is impossible, the takes are kept and the job says why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import bpy

from videomdm import client as wire
from videomdm import protocol
from videomdm.errors import UserError
from videomdm.motion import Motion

from ..armature.apply import Applied
from ..armature.apply import apply_take as apply_to_rig
from ..armature.keys import keyed_bones
from ..armature.standing import Standing
from ..connection.hub import hub
from ..connection.session import Ended, Event, Phase, Session
from ..controls.limb import Controls
from ..edit.settings import TakeSettings
from .property_group import settings

log = logging.getLogger(__name__)

NAME_BYTES = 58  # of an Action's name: Blender 4.5 takes 63, and adds .001 where a name is taken
FREE_MODES = ("OBJECT", "POSE")  # in others an undo step would hold the mode's own data only
TAKES_KEPT = 50


class State(Enum):
    """How far a job is; the values are what the panel says."""

    WAITING = "Waiting for the backend"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    ARRIVED = "Waiting until Blender is free"
    DONE = "Done"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class Listed(Enum):
    """The two lists of takes in the sidebar."""

    SESSION = "takes of this session"
    LIBRARY = "takes of the backend's library"


ENDS = (State.DONE, State.CANCELLED, State.FAILED)


@dataclass(frozen=True)
class Target:
    """Where a take goes.

    scene, armature: Blender's session ids; name: the armature's name when it was chosen.
    start_frame:     the scene frame on which the motion begins.
    """

    scene: int
    armature: int
    name: str
    start_frame: int

    @classmethod
    def of(cls, scene: bpy.types.Scene, armature: bpy.types.Object) -> Target:
        """The target for ``armature`` from the current frame on."""
        return cls(scene.session_uid, armature.session_uid, armature.name, scene.frame_current)

    def find(self) -> tuple[bpy.types.Scene, bpy.types.Object]:
        """The scene and the armature object; UserError where one is gone."""
        scene = next((s for s in bpy.data.scenes if s.session_uid == self.scene), None)
        armature = next((o for o in bpy.data.objects if o.session_uid == self.armature), None)
        if scene is None or armature is None or scene.objects.get(armature.name) != armature:
            raise UserError(
                f'The armature "{self.name}" is no longer in the scene.',
                "The take is kept: select another armature and apply it again.",
                "no-armature",
            )
        return scene, armature


@dataclass(frozen=True)
class Take:
    """A motion of this session, and the job that it came from."""

    name: str
    motion: Motion
    job: str


@dataclass
class Job:
    """One request and how it stands.

    name:    of its takes and of the Action.
    target:  where its first take goes, if anywhere.
    request: what was asked of the model; None where the takes come from the backend's library or from footage.
    stop:    ends it, where that is not done by the backend that Blender is connected to.
    deliver: puts what has arrived into the file and names it, where that is something else than a take.
    """

    id: str
    name: str
    target: Target | None
    request: protocol.TextJob | None = None
    state: State = State.WAITING
    fraction: float = 0.0
    stage: str = ""
    ahead: int = 0
    error: UserError | None = None
    takes: list[Take] = field(default_factory=list)
    action: str = ""  # name of the Action that was made
    started: float = field(default_factory=time.monotonic)
    stop: Callable[[], None] | None = None
    deliver: Callable[[], str] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDS


@dataclass(frozen=True)
class Shown:
    """A take that was put on an armature.

    standing: how the armature was before.
    bones:    what the take keys.
    """

    take: Take
    settings: TakeSettings
    start_frame: int
    standing: Standing
    bones: frozenset[str]


class Desk:
    """All jobs and takes of this Blender.  ``current`` is the newest job."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}  # those that have not ended
        self.takes: list[Take] = []  # newest first
        self.current: Job | None = None
        self.error: UserError | None = None  # the last thing that went wrong, until the next attempt
        self.notes: tuple[str, ...] = ()  # what the user should know of the last take on its rig
        self.stored: list[protocol.Take] = []  # of the backend's library, as far as it was asked
        self.listing = ""  # id of the last question for them
        self.listed = False  # whether that was answered
        self.unfolded: set[Listed] = set()  # the lists that are shown whole
        self.shown: dict[int, Shown] = {}  # by the session id of the Action

    def clear(self) -> None:
        """Forget everything."""
        self.jobs.clear()
        self.shown.clear()
        self.takes.clear()
        self.stored.clear()
        self.listed = False
        self.unfolded.clear()
        self.current = self.error = None
        self.notes = ()

    @property
    def running(self) -> list[Job]:
        """The jobs that have not ended, oldest first."""
        return list(self.jobs.values())


desk = Desk()


def submit(request: protocol.TextJob, target: Target | None) -> Job:
    """Send a request; UserError where it cannot be used or nobody is there to do it.

    Without a ``target`` its takes are only listed.
    """
    connected().submit(request)
    return begin(Job(request.job, take_name(request.prompt), target, request))


def fetch(stored: protocol.Take, target: Target | None) -> Job:
    """Ask for a take of the backend's library, as for one that is made now."""
    connected().fetch(stored.job)
    return begin(Job(stored.job, take_name(stored.caption), target))


def list_stored(limit: int) -> None:
    """Ask for the newest takes of the backend's library; they appear in ``desk.stored``."""
    desk.listing = connected().list_takes(limit)


def connected() -> Session:
    """The session; UserError where nobody is there."""
    if hub.session is None or not hub.status.live:
        raise UserError(
            "There is no connection to a backend.", "Start the backend or connect to one.", "no-backend"
        )
    return hub.session


def begin(job: Job) -> Job:
    """Take in a job that was started."""
    desk.jobs[job.id] = job
    desk.current, desk.error, desk.notes = job, None, ()
    return job


def cancel(job: Job) -> None:
    """Stop a job.  Without a backend it ends at once, else when the backend has stopped."""
    if job.ended:
        return
    if job.stop is not None:
        job.stop()
        _end(job, State.CANCELLED)
        return
    if hub.session is not None:
        hub.session.cancel(job.id)
    if hub.session is None or hub.status.phase is not Phase.READY or job.state is State.ARRIVED:
        _end(job, State.CANCELLED)
    else:
        job.state = State.CANCELLING


def apply_take(
    take: Take,
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    start_frame: int,
    chosen: TakeSettings | None = None,
) -> Applied:
    """Put a take on an armature as a new Action; UserError where that is impossible.

    chosen: settings of the take, those of the sidebar if None.
    """
    chosen = chosen or settings(scene).take.chosen()
    standing = Standing.of(armature)
    applied = apply_to_rig(
        scene,
        armature,
        take.motion,
        name=take.name,
        start_frame=start_frame,
        options=settings(scene).retargeting(),
        controls=Controls[settings(scene).controls],
        settings=chosen,
    )
    bones = frozenset(keyed_bones(applied.action))
    desk.shown[applied.action.session_uid] = Shown(take, chosen, start_frame, standing, bones)
    contact = applied.take.contact
    desk.error, desk.notes = (
        None,
        applied.notes + ((str(contact),) if contact is not None and contact.kept else ()),
    )
    return applied


def shown_by(armature: bpy.types.Object) -> Shown | None:
    """The take of this session that the armature's Action is, if it is one."""
    data = armature.animation_data
    if data is None or data.action is None:
        return None
    return desk.shown.get(data.action.session_uid)


def replace_take(
    shown: Shown, scene: bpy.types.Scene, armature: bpy.types.Object, chosen: TakeSettings
) -> Applied:
    """Put the take on again in place of the Action that shows it, as if that had never been; both stay in the file.

    UserError where that is impossible, and nothing changed.
    """
    now = Standing.of(armature)
    shown.standing.restore(armature, shown.bones)
    try:
        return apply_take(shown.take, scene, armature, shown.start_frame, chosen)
    except BaseException:
        now.restore(armature, shown.bones)
        raise


def take_name(prompt: str) -> str:
    """A name for a take and its Action: the prompt in one line, as long as Blender's names may be."""
    line = " ".join(prompt.split())
    return line.encode()[:NAME_BYTES].decode(errors="ignore").rstrip() or "VideoMDM"


def hear(event: Event) -> None:
    """Take in one event of the session."""
    if isinstance(event, Ended):
        _lose_all(event)
        return
    if isinstance(event, wire.StateChanged):
        return
    if isinstance(event, protocol.Takes):
        desk.stored, desk.listed = event.takes, True
        return
    job = desk.jobs.get(event.job)
    if job is None or job.ended:
        if isinstance(event, protocol.Failed) and event.job in ("", desk.listing):
            desk.error = event.error()
        return
    if isinstance(event, protocol.Accepted):
        job.ahead = event.ahead
        if job.state is State.WAITING:
            job.stage = f"{event.ahead} before it" if event.ahead else ""
    elif isinstance(event, protocol.Progress):
        job.fraction, job.stage = event.fraction, event.stage
        if job.state is State.WAITING:
            job.state = State.RUNNING
    elif isinstance(event, protocol.Result):
        receive(job, event.motions)
    elif isinstance(event, protocol.Failed):
        fail(job, event.error())
    elif isinstance(event, protocol.Cancelled):
        _end(job, State.CANCELLED)


def apply_arrived() -> bool:
    """Apply the takes that have arrived, if Blender can take them now; says whether work is left."""
    for job in desk.running:
        if job.state is State.ARRIVED and _is_free():
            _apply(job)
    return bool(desk.running)


def receive(job: Job, motions: list[Motion]) -> None:
    """Take in what a job has made."""
    job.fraction, job.stage = 1.0, ""
    job.takes = [Take(job.name, motion, job.id) for motion in motions]
    desk.takes[:0] = job.takes
    del desk.takes[TAKES_KEPT:]
    if job.target is None:
        _end(job, State.DONE)
    else:
        job.state = State.ARRIVED


def _put_on(job: Job) -> str:
    """The first take becomes an Action, whose name is returned."""
    assert job.target is not None
    scene, armature = job.target.find()
    job.action = apply_take(job.takes[0], scene, armature, job.target.start_frame).action.name
    return job.action


def _apply(job: Job) -> None:
    """What has arrived goes into the file, in one undo step."""
    try:
        made = job.deliver() if job.deliver is not None else _put_on(job)
    except UserError as error:
        fail(job, error)
        return
    except Exception as error:
        log.exception("A take could not be applied")
        fail(job, UserError(f"The take could not be applied: {error}.", "The take is kept.", "internal"))
        return
    _end(job, State.DONE)
    push_undo(f"VideoMDM: {made}")


def push_undo(message: str) -> None:
    """Make one undo step of what was just done outside an operator."""
    manager = bpy.context.window_manager
    if manager is None or not manager.windows:
        return  # without a window nobody can undo
    with bpy.context.temp_override(window=manager.windows[0]):
        bpy.ops.ed.undo_push(message=message)


def _is_free() -> bool:
    """Whether data can be changed now: not while rendering, moving things, or in a mode with its own undo."""
    if bpy.app.is_job_running("RENDER"):
        return False
    manager = bpy.context.window_manager
    windows = list(manager.windows) if manager else []
    actives = [window.view_layer.objects.active for window in windows]
    moving = any(
        operator.bl_idname.startswith("TRANSFORM_") for w in windows for operator in w.modal_operators
    )
    return not moving and all(active is None or active.mode in FREE_MODES for active in actives)


def _lose_all(ended: Ended) -> None:
    for job in desk.running:
        if job.state is State.ARRIVED or job.stop is not None:
            continue  # the take is here already, or comes from elsewhere
        if ended.error is None:
            _end(job, State.CANCELLED)
        else:
            fail(job, ended.error)


def fail(job: Job, error: UserError) -> None:
    """End a job that could not be done."""
    job.error = desk.error = error
    _end(job, State.FAILED)


def _end(job: Job, state: State) -> None:
    job.state = state
    desk.jobs.pop(job.id, None)
