# SPDX-License-Identifier: Apache-2.0
"""``videomdm serve``: run the backend until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click

from ..client import Client
from ..connection import data_folder
from ..errors import UserError
from ..server import Server, Settings
from . import options

PROBE_SECONDS = 2.0


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the interface to listen on.")
@click.option("--model", default="base", show_default=True, help="Model to load, the default of jobs.")
@click.option(
    "--device", default="auto", show_default=True, help='What the model runs on: "auto", "cpu", "cuda".'
)
@options.library
@options.curve_dir
@options.connection_file
@options.pipeline
@click.option(
    "--with-parent",
    is_flag=True,
    help="Stop when standard input closes: when the program that holds its other end ends, however it ends.",
)
def serve(
    port: int,
    host: str,
    model: str,
    device: str,
    library: Path | None,
    curve_dir: Path | None,
    connection_file: Path,
    pipeline: str,
    with_parent: bool,
) -> None:
    """Run the backend that Blender and other clients talk to.

    It listens on this machine only, unless --curve-dir names a folder of CURVE keys (made there if it has
    none).  Stop it with Ctrl-C.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    _refuse_second(connection_file, curve_dir)
    server = Server(
        Settings(
            host=host,
            port=port,
            model=model,
            device=device,
            pipeline=pipeline,
            library=library or data_folder() / "library",
            connection_file=connection_file,
            curve=curve_dir,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    if with_parent:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    with server:
        if server.connection.address:  # not stopped while it was starting
            click.echo(f"Listening on {server.connection.address}")
            click.echo(f"Connection file: {connection_file}")
            if curve_dir is not None:
                click.echo(
                    "Clients on other machines need the connection file (with this machine's address in it), "
                    f"{curve_dir / 'server.key'} and {curve_dir / 'client.key_secret'}."
                )
        server.run()


def _stop_at_end_of_input(server: Server) -> None:
    """Pipes are closed by every operating system when a process dies, also by a crash."""
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):  # not through sys.stdin, whose lock would hold up the end of the process
        pass
    logging.getLogger(__name__).info("The program that started the server has ended.")
    server.stop()


def _refuse_second(connection_file: Path, curve_dir: Path | None) -> None:
    """A second server would take the first one's connection file away."""
    try:
        with Client.connect(connection_file, curve_dir=curve_dir, timeout=PROBE_SECONDS):
            pass
    except UserError:
        return
    raise UserError(
        f"A videomdm server runs already; its connection file is {connection_file}.",
        "Use that one, stop it, or give this one a file of its own with --connection-file.",
        "already-running",
    )
