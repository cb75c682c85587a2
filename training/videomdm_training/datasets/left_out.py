# SPDX-License-Identifier: Apache-2.0
"""What a reader of data left out, by name and reason: nothing is dropped in silence."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


SHOWN = 20  # warnings; the rest is counted


class LeftOut(dict[str, str]):
    """File or clip -> why it is not used; the first of them are also logged as warnings."""

    def add(self, name: str, reason: str) -> None:
        """Note that ``name`` is left out; of several reasons the first one stays."""
        if name in self:
            return
        self[name] = reason
        if len(self) <= SHOWN:
            log.warning("%s is left out: %s", name, reason)
        elif len(self) == SHOWN + 1:
            log.warning("More is left out, which is counted and reported at the end.")
