# SPDX-License-Identifier: Apache-2.0
"""What the depth-weighted 2D loss measures of a 3D error, and where that stops being true."""
