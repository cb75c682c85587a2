# SPDX-License-Identifier: GPL-3.0-or-later
"""``--shard i/n``: the i-th of n equal parts of the jobs, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from videomdm.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 1) of ``count``."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "i/n"; UserError where it is none."""
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise UserError(f"{text!r} is no shard.", "Use i/n with i from 1 to n, such as 1/4.", "bad-shard")
        return cls(int(found[1]), int(found[2]))

    def part(self, things: Sequence[T]) -> list[T]:
        """Every n-th thing, beginning with the i-th: parts differ by one thing at most."""
        return list(things[self.index - 1 :: self.count])

    @property
    def suffix(self) -> str:
        """For names of files that each shard has for itself; empty where there is only one."""
        return "" if self.count == 1 else f"-{self.index}-of-{self.count}"
