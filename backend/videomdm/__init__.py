# SPDX-License-Identifier: Apache-2.0
"""VideoMDM: words and ordinary video become 3D human motion.

Importing this package loads nothing heavy; import the room you need:
``videomdm.motion`` (the body), ``videomdm.camera``, ``videomdm.keypoints``,
``videomdm.protocol`` and ``videomdm.client`` (the wire), ``videomdm.pipeline`` (the model).
"""

__version__ = "0.1.0"
