# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged humanoid made by code, for demonstrations and tests."""
