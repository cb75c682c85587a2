# SPDX-License-Identifier: Apache-2.0
"""What VideoMDM is held against: 2D diffusion with a 3D consensus at inference, after MAS (Kapon et al., 2024)."""
