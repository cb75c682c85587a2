# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and films of a motion: a checkered floor, a camera that follows, contact sheets and MP4 files."""
