# SPDX-License-Identifier: Apache-2.0
"""The socket that clients connect to: which interface, which port, with which keys."""

from __future__ import annotations

import contextlib
import errno
import sys
from dataclasses import dataclass
from pathlib import Path

import zmq

from .. import protocol
from ..errors import UserError
from . import security

LINGER_MILLISECONDS = 500  # for the last messages of a server that stops


@dataclass(frozen=True)
class Listening:
    """A bound ROUTER socket.

    address: what clients of this machine connect to, "tcp://127.0.0.1:43127".
    token:   what they have to know.
    curve:   whether only encrypted connections are accepted.
    """

    router: zmq.Socket
    address: str
    token: str
    curve: bool


def listen(host: str, port: int, curve: Path | None, close: contextlib.ExitStack) -> Listening:
    """Listen on ``port`` (0: any free one) of the interface ``host``; what was opened is left with ``close``.

    ``curve`` is a folder of CURVE keys, None for the loopback interface only.  UserError where the port is
    taken, the interface is refused or the keys cannot be used.
    """
    keys = None if curve is None else _make_keys(curve)
    interface = security.interface_address(host, encrypted=keys is not None)
    context = zmq.Context()
    close.callback(context.term)
    if keys is not None:
        _let_in(keys.clients, context, close)
    router = context.socket(zmq.ROUTER)
    close.callback(router.close, linger=LINGER_MILLISECONDS)
    router.set(zmq.ROUTER_MANDATORY, 1)  # tell when a client is gone or does not read
    router.set(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
    if keys is not None:
        keys.protect_server(router)
    port = _bind(router, interface, port)
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(interface, interface)
    return Listening(
        router=router,
        address=f"tcp://{_bracketed(local)}:{port}",
        token=security.new_token() if keys is None else keys.token(),
        curve=keys is not None,
    )


def _make_keys(folder: Path) -> security.CurveKeys:
    if not zmq.has("curve"):
        raise UserError("This ZeroMQ was built without CURVE.", "Install pyzmq from its wheel.")
    keys = security.CurveKeys(folder)
    keys.make_missing()
    return keys


def _let_in(clients: Path, context: zmq.Context, close: contextlib.ExitStack) -> None:
    """Accept the clients whose public keys lie in the folder ``clients``, and nobody else."""
    from zmq.auth.thread import ThreadAuthenticator

    if sys.platform == "win32":  # the thread's event loop must be one that can wait for ZeroMQ's sockets
        import asyncio

        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    close.callback(authenticator.stop)
    authenticator.configure_curve(domain="*", location=clients)


def _bind(router: zmq.Socket, interface: str, port: int) -> int:
    """Listen; returns the port."""
    if ":" in interface:
        router.set(zmq.IPV6, 1)
    try:
        router.bind(f"tcp://{_bracketed(interface)}:{port or '*'}")
    except zmq.ZMQError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is already in use" if taken else f"cannot be used ({error})"
        raise UserError(
            f"Port {port} of {interface} {reason}.",
            "Stop the other program, or choose another port with --port (0 takes any free one).",
            "port-in-use" if taken else "bad-address",
        ) from error
    return int(router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
