# SPDX-License-Identifier: Apache-2.0
"""Errors that a person can act on."""

from __future__ import annotations


class UserError(Exception):
    """Something the user gave or asked for cannot be used.

    ``message`` says what is wrong and where, ``advice`` says what to do about it;
    ``code`` is a stable word for programs (it travels over the wire).  Command-line tools print
    ``str(error)`` without a traceback and exit with status 2.
    """

    def __init__(self, message: str, advice: str = "", code: str = "bad-input") -> None:
        super().__init__(message, advice, code)
        self.message = message
        self.advice = advice
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class Cancelled(Exception):
    """The work was cancelled on request, between two steps; nothing is half-written."""
