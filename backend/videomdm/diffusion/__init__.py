# SPDX-License-Identifier: Apache-2.0
"""Diffusion: noise schedules, samplers, and guidance by text and keypoints."""
