# SPDX-License-Identifier: Apache-2.0
"""Measures of motions and models: physics, lifting accuracy, and the report of a model on held-out clips."""
