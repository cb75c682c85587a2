# SPDX-License-Identifier: Apache-2.0
"""What a reader of data left out, by name and reason: nothing is dropped in silence."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class LeftOut(dict[str, str]):
    """File or clip -> why it is not used; every entry is also logged as a warning."""

    def add(self, name: str, reason: str) -> None:
        """Note that ``name`` is left out; of several reasons the first one stays."""
        if name not in self:
            self[name] = reason
            log.warning("%s is left out: %s", name, reason)
