# SPDX-License-Identifier: GPL-3.0-or-later
"""What a take's settings may be is said once, and the command line asks for all of them."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from videomdm.errors import UserError
from videomdm_blender.edit.settings import CHOICES, RANGES, TakeSettings
from videomdm_blender.take_options import OPTIONS


def test_all_numbers_have_a_range_and_all_words_choices() -> None:
    defaults = TakeSettings()
    kinds = {field.name: type(getattr(defaults, field.name)) for field in fields(TakeSettings)}
    assert {name for name, kind in kinds.items() if kind is float} == set(RANGES)
    assert {name for name, kind in kinds.items() if kind is str} == set(CHOICES)


@pytest.mark.parametrize("name", RANGES)
def test_numbers_out_of_range_are_refused_in_words(name: str) -> None:
    for value in (RANGES[name][0] - 0.01, RANGES[name][1] + 0.01):
        with pytest.raises(UserError, match=f"{name} cannot be") as caught:
            TakeSettings(**{name: value})
        assert caught.value.advice == "Use {:g} to {:g}.".format(*RANGES[name])


def test_the_command_line_asks_for_all_of_them() -> None:
    command = click.command()(lambda: None)
    for option in OPTIONS:
        option(command)
    found = {option.name: option for option in command.params}
    chosen = command.make_context("take", []).params
    defaults = TakeSettings()
    for field in fields(TakeSettings):
        name = "root_motion" if field.name == "root" else field.name
        assert chosen[name] == getattr(defaults, field.name)
        option = found[name]
        if field.name in RANGES:
            assert isinstance(option.type, click.FloatRange)
            assert (option.type.min, option.type.max) == RANGES[field.name]
    assert "in_place" in found
