# SPDX-License-Identifier: Apache-2.0
"""Encryption: with CURVE keys nothing readable crosses the wire, and only known keys are let in."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.tap import Tap

from videomdm import protocol
from videomdm.client import Client
from videomdm.errors import UserError
from videomdm.server import security

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.backend.conftest import Backend

PROMPT = "a very secret choreography"


def listen_in(backend: Backend, curve_dir: Path | None) -> bytes:
    """What crosses the wire while a job runs."""
    found = backend.connection
    tap = Tap(int(found.address.rpartition(":")[2]))
    try:
        with Client.connect(
            address=tap.address, token=found.token, curve_dir=curve_dir, timeout=20
        ) as client:
            (motion,) = client.generate(protocol.TextJob(PROMPT, 1.0, steps=2), timeout=20)
        assert motion.caption == PROMPT
    finally:
        tap.close()
    return bytes(tap.seen)


@pytest.fixture(scope="module")
def curve_backend(start_backend: Callable[..., Backend], tmp_path_factory: pytest.TempPathFactory) -> Backend:
    folder = tmp_path_factory.mktemp("curve")
    return start_backend(folder, "--curve-dir", str(folder / "keys"), "--host", "0.0.0.0")


def test_without_curve_the_wire_is_readable(backend: Backend) -> None:
    seen = listen_in(backend, None)  # the tap works: this is what the next test must not find
    assert PROMPT.encode() in seen
    assert backend.connection.token.encode() in seen


def test_under_curve_plaintext_never_shows(curve_backend: Backend) -> None:
    seen = listen_in(curve_backend, curve_backend.folder / "keys")
    assert len(seen) > 5000
    for plain in (PROMPT.encode(), curve_backend.connection.token.encode(), b"TextJob", protocol.PREFIX):
        assert plain not in seen


def test_the_connection_file_says_that_keys_are_needed(curve_backend: Backend) -> None:
    assert curve_backend.connection.curve
    assert curve_backend.connection.address.startswith("tcp://127.0.0.1:")
    with pytest.raises(UserError, match="--curve-dir") as caught:
        curve_backend.client()
    assert caught.value.code == "needs-curve"


def test_unknown_keys_and_no_keys_get_no_answer(curve_backend: Backend, tmp_path: Path) -> None:
    found = curve_backend.connection
    stranger = security.CurveKeys(tmp_path / "stranger")
    stranger.make_missing()
    shutil.copy(curve_backend.folder / "keys" / "server.key", stranger.folder)
    for keys in (stranger.folder, None):
        with pytest.raises(UserError) as caught:
            Client.connect(address=found.address, token=found.token, curve_dir=keys, timeout=1.0)
        assert caught.value.code == "no-server"


def test_the_token_is_asked_for_under_curve_too(curve_backend: Backend) -> None:
    address, keys = curve_backend.connection.address, curve_backend.folder / "keys"
    with pytest.raises(UserError) as caught:
        Client.connect(address=address, token="wrong", curve_dir=keys)
    assert caught.value.code == "wrong-token"


def test_keys_are_private_and_stay(tmp_path: Path) -> None:
    keys = security.CurveKeys(tmp_path / "keys")
    keys.make_missing()
    files = {path: path.read_bytes() for path in keys.folder.rglob("*") if path.is_file()}
    assert {path.name for path in files} == {
        "server.key", "server.key_secret", "client.key", "client.key_secret", "token",
    }  # fmt: skip
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    keys.make_missing()
    assert {path: path.read_bytes() for path in files} == files
    assert len(keys.token()) == 64


@pytest.mark.parametrize("content", ["", "short\n"])
def test_a_token_that_was_cut_off_is_none(tmp_path: Path, content: str) -> None:
    keys = security.CurveKeys(tmp_path)
    keys.make_missing()
    (tmp_path / "token").write_text(content)
    with pytest.raises(UserError, match="holds no token"):
        keys.token()


def test_damaged_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read.*server\.key"):
        Client.connect(address="tcp://127.0.0.1:9", token="x", curve_dir=tmp_path)
    (tmp_path / "server.key_secret").write_text("nothing")
    keys = security.CurveKeys(tmp_path)
    keys.make_missing()
    import zmq

    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    with pytest.raises(UserError, match=r"server\.key_secret"):
        keys.protect_server(router)
    router.close()
    context.term()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.5"])
def test_loopback_addresses(host: str) -> None:
    assert security.interface_address(host, encrypted=False).startswith("127.")


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "", "192.0.2.1", "::"])
def test_other_addresses_need_encryption(host: str) -> None:
    with pytest.raises(UserError) as caught:
        security.interface_address(host, encrypted=False)
    assert caught.value.code == "not-loopback"
    assert security.interface_address(host, encrypted=True)


def test_a_host_that_is_not_known() -> None:
    with pytest.raises(UserError, match="is not known"):
        security.interface_address("no.such.host.invalid", encrypted=False)


def test_tokens() -> None:
    token = security.new_token()
    assert token != security.new_token()
    assert security.same_token(token, str(token))
    assert not security.same_token("é", token)
    assert not security.same_token("", "")
