# SPDX-License-Identifier: Apache-2.0
"""What ``dev.py`` is made of: processes, environments, how they are installed, checks.

The standard library only.  What is imported at the top of these files exists in older Pythons too, so that they
get as far as the advice to use another.
"""
