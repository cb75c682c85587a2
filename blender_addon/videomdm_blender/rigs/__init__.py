# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs: which bone is which part of the body.

One small file for each family of rigs says how its bones are called; where no family fits, the structure of
the bones alone decides.  Every mapping, also one that a person made, is checked before it is used.
"""

from .check import check
from .files import load_mapping, save_mapping
from .recognise import recognise

__all__ = ["check", "load_mapping", "recognise", "save_mapping"]
