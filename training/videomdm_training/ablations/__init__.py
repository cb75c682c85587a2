# SPDX-License-Identifier: Apache-2.0
"""Ablations: a table of runs that differ in a few settings."""
