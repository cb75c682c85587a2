# SPDX-License-Identifier: Apache-2.0
"""The server: takes jobs over ZeroMQ, runs them in one worker process, keeps every finished take.

``server`` is the loop and who is connected, ``listening`` its socket, ``jobs`` what becomes of a job (``queue``
those that wait, ``workers`` the process that runs them, ``library`` the takes on disk), ``security`` addresses,
tokens and keys, ``sole`` that there is one server for each connection file.  What runs inside the worker process
is ``worker_process``, with the pipeline in its ``engine``: torch is imported there only.
"""

from .server import Server, Settings, running

__all__ = ["Server", "Settings", "running"]
