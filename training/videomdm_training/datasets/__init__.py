# SPDX-License-Identifier: Apache-2.0
"""Data sets: reading the sources, and the packed form that training reads."""
