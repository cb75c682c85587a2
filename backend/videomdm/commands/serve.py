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

from ..connection import data_folder
from ..server import Server, Settings
from . import options


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the interface to listen on.")
@click.option("--model", default="base", show_default=True, help="Model to load, the default of jobs.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help='What the model runs on: "auto", "cpu", "cuda", "mps".',
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
            click.echo(f"Model: {server.ready.default}, on {server.ready.device or device}")
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
