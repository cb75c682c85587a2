# SPDX-License-Identifier: Apache-2.0
"""Who may connect: interfaces, tokens and CURVE keys.

Without keys the server listens on the loopback interface only, and the token in the connection file (mode
0600) keeps other users of the machine out.  With a folder of CURVE keys it may listen anywhere: every
connection is encrypted and authenticated (CurveZMQ, https://rfc.zeromq.org/spec/26/), and the token is asked
for as well.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from ipaddress import ip_address
from pathlib import Path

import zmq

from ..errors import UserError
from ..motion.files import write_atomically

MIN_TOKEN_CHARACTERS = 32
ANY_INTERFACE = {"*": "0.0.0.0", "": "0.0.0.0"}


def new_token() -> str:
    """A secret of 256 bits."""
    return secrets.token_hex(32)


def same_token(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on where the texts differ.  An empty one opens nothing."""
    return hmac.compare_digest(given.encode(), expected.encode()) and bool(expected)


def interface_address(host: str, *, encrypted: bool) -> str:
    """The numeric address to listen on; UserError for one outside this machine without encryption."""
    host = ANY_INTERFACE.get(host, host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"The host {host!r} is not known ({error}).", "Give 127.0.0.1 or an address of this machine."
        ) from error
    address = str(found[0][4][0])
    if not encrypted and not all(ip_address(str(entry[4][0])).is_loopback for entry in found):
        raise UserError(
            f"Listening on {host} would let other machines in unencrypted.",
            "Listen on 127.0.0.1, or give a folder of CURVE keys with --curve-dir.",
            "not-loopback",
        )
    return address


class CurveKeys:
    """A folder of CURVE keys and the stable token that belongs to them.

    ``server.key_secret`` and ``server.key`` are the server's; ``clients/*.key`` are the public keys of the
    clients that may connect; ``client.key_secret`` is the key of a first client.  A client's machine needs
    the connection file and, in a folder of its own, ``server.key`` and ``client.key_secret``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def clients(self) -> Path:
        """The folder of public keys that may connect."""
        return self.folder / "clients"

    def make_missing(self) -> None:
        """Make the keys and the token that are not there yet, readable by this user alone."""
        from zmq.auth import create_certificates

        before = os.umask(0o077)
        try:
            self.clients.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "server.key_secret").exists():
                create_certificates(self.folder, "server")
            if not any(self.clients.glob("*.key")):
                create_certificates(self.folder, "client")
                os.replace(self.folder / "client.key", self.clients / "client.key")
            if not (self.folder / "token").exists():
                write_atomically(self.folder / "token", new_token().encode(), private=True)
        except (OSError, UserError) as error:
            raise UserError(
                f"The CURVE keys in {self.folder} cannot be made ({error}).",
                "Give --curve-dir a folder that is writable.",
            ) from error
        finally:
            os.umask(before)

    def token(self) -> str:
        """The token, the same at every start: the clients are on other machines."""
        token = _read(self.folder / "token")
        if len(token) < MIN_TOKEN_CHARACTERS:
            raise UserError(
                f"{self.folder / 'token'} holds no token of {MIN_TOKEN_CHARACTERS} characters or more.",
                "Restore it, or delete it: the next start makes a new one.",
            )
        return token

    def protect_server(self, router: zmq.Socket) -> None:
        """Accept encrypted connections only.  The caller runs an authenticator for ``clients``."""
        public, secret = self._load("server.key_secret")
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = public, secret

    def _load(self, name: str) -> tuple[bytes, bytes]:
        from zmq.auth import load_certificate

        path = self.folder / name
        try:
            public, secret = load_certificate(path)
        except (OSError, ValueError) as error:
            raise UserError(
                f"The CURVE key {path} cannot be read ({error}).", "Restore it, or make new keys."
            ) from error
        if secret is None:
            raise UserError(f"{path} holds no secret key.", "Restore it, or make new keys.")
        return public, secret


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Restore it, or make new keys.") from error
