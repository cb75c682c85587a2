# SPDX-License-Identifier: Apache-2.0
"""Networks: the denoiser, the text encoder, the 2D-to-3D lifter, and checkpoint files."""
