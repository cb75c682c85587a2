# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clips onto many rigs, on one machine or on a farm.

A *worker* is a process with one Blender that does jobs one after the other; a *pool* keeps several busy and
replaces those that die; a *ledger* notes what is done, so that a run can be taken up again after any end.
"""
