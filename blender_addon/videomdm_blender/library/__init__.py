# SPDX-License-Identifier: GPL-3.0-or-later
"""The takes that the backend keeps on disk, those of earlier days and of a Blender that crashed too."""
