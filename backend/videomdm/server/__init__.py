# SPDX-License-Identifier: Apache-2.0
"""The server: takes jobs over ZeroMQ, runs them in one worker process, keeps every finished take.

``server.Server`` is the loop, ``queue`` the jobs it knows, ``workers`` the process that runs them (what runs
inside that process is ``worker_process``), ``library`` the takes on disk, ``security`` addresses, tokens and
keys.  torch is imported in the worker process only.
"""

from .server import Server, Settings, running

__all__ = ["Server", "Settings", "running"]
