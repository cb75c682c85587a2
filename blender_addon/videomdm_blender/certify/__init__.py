# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: a fixed battery of motions is put onto a rig, played in Blender, and measured.

What is measured is what Blender shows (the evaluated pose, with constraints and drivers), against the motion
that was asked for; never the solver's own numbers.
"""
