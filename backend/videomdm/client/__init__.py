# SPDX-License-Identifier: Apache-2.0
"""Talk to a videomdm server: submit jobs, hear of their progress, fetch takes.

Importing this package loads neither torch nor bpy.  ``client`` is what was asked for and what came of it,
``link`` the connection under it, which is kept up through silence, restarts and cut wires.
"""

from .client import Client, Event, JobEvent, StateChanged
from .link import State

__all__ = ["Client", "Event", "JobEvent", "State", "StateChanged"]
