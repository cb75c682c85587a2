# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings that a person sees, corrects, saves and loads: in the sidebar, and as ``videomdm mapping``."""
