# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage of somebody moving becomes a take: the backend's own verbs look at the video and lift it."""
