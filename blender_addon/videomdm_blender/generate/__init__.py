# SPDX-License-Identifier: GPL-3.0-or-later
"""From a prompt to a take on the armature: settings, jobs, operators and the sidebar."""
