# SPDX-License-Identifier: Apache-2.0
"""The connection to a server, kept up: Hello, heartbeats, silence, connecting again.

Three heartbeats of one second without an answer and the server counts as lost.  The link then connects again
after 1, 2, 4 ... 32 seconds, or as soon as a server writes a new connection file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import zmq

from .. import protocol
from ..connection import Connection, is_gone, read_connection
from ..errors import UserError

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 32.0
SILENCE_SECONDS = protocol.HEARTBEAT_SECONDS * protocol.LIVENESS
FILE_CHECK_SECONDS = 0.25


class State(Enum):
    """How a client stands with its server."""

    CONNECTING = "connecting"  # no answer yet since the start
    READY = "ready"
    LOST = "lost"  # it was there; trying again
    REFUSED = "refused"  # it answers, but not to us: token or version; trying again
    CLOSED = "closed"


class Link:
    """One connection to ``target``, a connection file that is read at each attempt, or a :class:`Connection`.

    curve_dir: folder of keys for a server that wants encryption, or None.
    changed:   called with (state, error, restarted) when the state is another one; ``error`` says why, for LOST
               and REFUSED; ``restarted``: READY with another run of the server than before.
    heard:     called with every other message of the server, and with a Failed for one that cannot be read.

    Everything happens in :meth:`turn`, in the thread that calls it.
    """

    def __init__(
        self,
        target: Path | Connection,
        curve_dir: Path | None,
        changed: Callable[[State, UserError | None, bool], None],
        heard: Callable[[protocol.Event], None],
    ) -> None:
        self.state = State.CONNECTING
        self.error: UserError | None = None
        self.hello: protocol.Welcome | None = None
        self._target = target
        self._curve_dir = curve_dir
        self._changed = changed
        self._heard = heard
        self._context = zmq.Context()
        self._socket: zmq.Socket | None = None
        self._delay = FIRST_DELAY_SECONDS
        self._retry_at = 0.0
        self._sent_at = 0.0
        self._asked_at: float | None = None  # when the oldest message without an answer since was sent
        self._file_seen: tuple[int, int] | None = None
        self._file_due = 0.0

    def turn(self, wait: float) -> None:
        """Connect if need be, send a heartbeat if one is due, receive for ``wait`` seconds, notice silence."""
        if self._socket is None and not self._connect_again():
            time.sleep(wait)
            return
        if self.state is State.READY and time.monotonic() - self._sent_at >= protocol.HEARTBEAT_SECONDS:
            self.send(protocol.encode(protocol.Ping()))
        self._receive(wait)
        if self._asked_at is not None and time.monotonic() - self._asked_at > SILENCE_SECONDS:
            self._lose(State.LOST if self.hello else State.CONNECTING, self._why_silent())

    def send(self, frames: list[bytes]) -> None:
        """Send without waiting.  What does not leave costs the connection: ask again when READY."""
        if self._socket is None:
            return
        now = time.monotonic()
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._lose(State.LOST, self._why_silent())
            return
        self._sent_at = now
        if self._asked_at is None:
            self._asked_at = now

    def close(self) -> None:
        """Hang up for good."""
        self._hang_up()
        self._context.term()
        self.state = State.CLOSED

    # --- what comes in ------------------------------------------------------------------------------------

    def _receive(self, wait: float) -> None:
        if self._socket is None or not self._socket.poll(int(wait * 1000)):
            return
        while self._socket is not None:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._asked_at = None  # any traffic counts
            try:
                self._handle(protocol.decode(frames, protocol.Event))
            except protocol.ProtocolError as error:
                if self.state is State.READY:
                    self._heard(protocol.Failed.of(error, error.job))
                else:
                    self._lose(State.REFUSED, error)

    def _handle(self, message: protocol.Event) -> None:
        if isinstance(message, protocol.Welcome):
            self._welcome(message)
        elif isinstance(message, protocol.Failed) and not message.job:
            self._handle_refusal(message)
        elif not isinstance(message, protocol.Pong):
            self._heard(message)

    def _welcome(self, welcome: protocol.Welcome) -> None:
        restarted = self.hello is not None and self.hello.server != welcome.server
        self.hello, self.error = welcome, None
        self._delay = FIRST_DELAY_SECONDS
        self.state = State.READY
        self._changed(State.READY, None, restarted)

    def _handle_refusal(self, failed: protocol.Failed) -> None:
        if failed.code == "no-session":  # the server was restarted at this address, or has forgotten us
            self._hang_up()
            self.state, self._retry_at = State.CONNECTING, 0.0
        elif failed.code in ("wrong-token", "wrong-version", "too-many-clients"):
            self._lose(State.REFUSED, failed.error())
        else:
            self._heard(failed)

    # --- connecting ---------------------------------------------------------------------------------------

    def _connect_again(self) -> bool:
        """Open a socket and say Hello, if it is time; False where it is not."""
        now = time.monotonic()
        if now < self._retry_at and not self._file_is_new(now):
            return False
        try:
            found = self._target if isinstance(self._target, Connection) else self._read_file(self._target)
            self._socket = self._open(found)
        except UserError as error:
            self._lose(self.state, error)
            return False
        self.send(protocol.encode(protocol.Hello(found.token)))
        return True

    def _read_file(self, path: Path) -> Connection:
        self._file_seen = _stamp(path)
        return read_connection(path)

    def _file_is_new(self, now: float) -> bool:
        """Whether a server has written the connection file since it was read: no need to wait then."""
        if isinstance(self._target, Connection) or now < self._file_due:
            return False
        self._file_due = now + FILE_CHECK_SECONDS
        stamp = _stamp(self._target)
        if stamp is None or stamp == self._file_seen:
            return False
        self._delay = FIRST_DELAY_SECONDS
        return True

    def _open(self, found: Connection) -> zmq.Socket:
        dealer = self._context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.set(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
        if "[" in found.address:
            dealer.set(zmq.IPV6, 1)
        try:
            if self._curve_dir is not None:
                _encrypt(dealer, self._curve_dir)
            elif found.curve:
                raise UserError(
                    "The server accepts encrypted connections only.",
                    "Name the folder with server.key and client.key_secret (--curve-dir).",
                    "needs-curve",
                )
            dealer.connect(found.address)
        except zmq.ZMQError as error:
            dealer.close()
            raise UserError(
                f"The address {found.address!r} cannot be used ({error}).",
                'An address reads like "tcp://127.0.0.1:43127".',
                "bad-address",
            ) from error
        except UserError:
            dealer.close()
            raise
        return dealer

    def _lose(self, state: State, error: UserError) -> None:
        """Hang up, and try again later."""
        self._hang_up()
        self._retry_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
        changed = state is not self.state or self.error is None
        self.state, self.error = state, error
        if changed:
            self._changed(state, error, False)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._asked_at = None

    def _why_silent(self) -> UserError:
        try:
            found = self._target if isinstance(self._target, Connection) else read_connection(self._target)
        except UserError as error:
            return error
        return why_silent(found)


def why_silent(found: Connection) -> UserError:
    """What to tell of a server that does not answer: that it is dead, where that is certain."""
    if is_gone(found):
        return UserError(
            f"The videomdm server (process {found.pid}) has died, perhaps of memory.",
            "Start it again with `videomdm serve`; its log tells more.",
            "server-died",
        )
    return UserError(
        f"No videomdm server answers at {found.address}.",
        "Start one with `videomdm serve`, or wait until it has loaded its model.",
        "no-server",
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written anew; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _encrypt(dealer: zmq.Socket, folder: Path) -> None:
    """Set up CURVE with the keys in ``folder``."""
    from zmq.auth import load_certificate  # loads asyncio: only those who encrypt wait for it

    try:
        dealer.curve_serverkey, _ = load_certificate(folder / "server.key")
        dealer.curve_publickey, secret = load_certificate(folder / "client.key_secret")
    except (OSError, ValueError) as error:
        raise UserError(
            f"The CURVE keys in {folder} cannot be read ({error}).",
            "It needs server.key and client.key_secret, as `videomdm serve --curve-dir` makes them.",
            "bad-keys",
        ) from error
    dealer.curve_secretkey = secret
