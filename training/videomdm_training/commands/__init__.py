# SPDX-License-Identifier: Apache-2.0
"""The verbs of ``videomdm train`` that belong to no single room, and the options that all share."""
