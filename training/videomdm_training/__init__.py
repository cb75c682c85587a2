# SPDX-License-Identifier: Apache-2.0
"""Training of VideoMDM: 3D motion models from 2D keypoints."""
