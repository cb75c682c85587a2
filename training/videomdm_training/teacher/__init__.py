# SPDX-License-Identifier: Apache-2.0
"""The noisy teacher: a lifter trained on a few subjects' 3D, and what it says of everybody else's 2D."""
