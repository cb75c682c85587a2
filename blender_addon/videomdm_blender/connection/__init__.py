# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to the backend: its process, a thread with the socket, the timer that hands events to Blender."""
