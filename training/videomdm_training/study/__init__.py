# SPDX-License-Identifier: Apache-2.0
"""A blinded preference study: a page of rendered pairs, its key, and the score of its answers."""
