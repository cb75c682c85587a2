# SPDX-License-Identifier: Apache-2.0
"""A wire that can be listened in to, and cut."""

from __future__ import annotations

import contextlib
import socket
import threading


class Tap:
    """A TCP relay to a port of this machine that keeps every byte it passes on."""

    def __init__(self, port: int) -> None:
        self.seen = bytearray()
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [here, there]
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.seen += data
                target.sendall(data)
        except OSError:
            return

    def cut(self) -> None:
        """Break all connections; new ones are let through again."""
        connections, self._sockets = self._sockets[1:], self._sockets[:1]
        for one in connections:
            with contextlib.suppress(OSError):  # the other side may have hung up
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        self.cut()
        self._listener.close()
