# SPDX-License-Identifier: Apache-2.0
"""Experiments as typed TOML files with overrides."""

from __future__ import annotations

import dataclasses
import json
import time
import tomllib
import typing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from videomdm.errors import UserError
from videomdm.model.registry import CONFIG
from videomdm.motion.clip import write_atomically

C = TypeVar("C")
# What may change while a run goes on: how long it is, and what it looks like, is saved and runs on meanwhile.
FREE = {
    "samples",
    "engine.steps",
    "engine.cooldown",
    "engine.time_limit",
    "engine.save_every",
    "engine.log_every",
    "engine.validate_every",
    "engine.accelerator",
    "engine.precision",
    "engine.compile",
}


def load_config(kind: type[C], path: Path | None, overrides: Sequence[str] = ()) -> C:
    """A configuration of class ``kind`` from a TOML file (or its defaults) and ``section.key=value`` overrides.

    A file that ends in ``.json`` is the resolved configuration that an earlier run stored.  Values of overrides are
    TOML; a bare word is a string.  Unknown names and wrong types are UserErrors.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
            values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except OSError as error:
            raise UserError(f"The configuration {path} cannot be read.", "Check the path.") from error
        except ValueError as error:  # of either format, and of the characters
            kind_of_file = path.suffix.removeprefix(".").upper() or "TOML"
            raise UserError(
                f"The configuration {path} is no {kind_of_file}: {error}.", "Mend that line."
            ) from error
        if not isinstance(values, dict):
            raise UserError(f"The configuration {path} holds no settings.", "Give another file.")
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise UserError(f"{override!r} is no setting.", "Write it as section.key=value.")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *sections, key = name.strip().split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise UserError(
                    f"{override!r} sets a part of {section}, which is one value.", "Set it whole."
                )
        place[key] = value
    _refuse_unknown(values, kind, "")
    try:
        # a section's defaults are those of ``kind``, which may differ from those of the section's own class
        return msgspec.convert(_over(resolved(kind()), values), kind)
    except msgspec.ValidationError as error:
        raise UserError(f"The configuration is wrong: {error}.", "Correct that value.") from error


def _over(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """``values`` laid over ``defaults``, section by section."""
    merged = dict(defaults)
    for name, value in values.items():
        old = defaults.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[name] = _over(old, value)
        else:
            merged[name] = value
    return merged


def load_run_config(
    kind: type[C], path: Path | None, overrides: Sequence[str], time_limit: float, folder: Path
) -> C:
    """The configuration of a run in ``folder``, of a class with an ``engine``.

    ``time_limit`` in seconds counts unless it is 0.  UserError where a run with other settings than ``FREE`` lies in
    ``folder``: before anything is made for it, or written there.  A run of mixed settings could not be told from one
    that had the last ones from the start.
    """
    settings: Any = load_config(kind, path, overrides)
    if time_limit:
        settings = replace(settings, engine=replace(settings.engine, time_limit=time_limit))
    _refuse_other_settings(kind, folder, settings)
    return cast(C, settings)


def time_left(settings: C, begun: float) -> C:
    """The same configuration, its time limit less what has passed since ``begun`` (``time.monotonic()``)."""
    changed: Any = settings
    if changed.engine.time_limit:
        left = max(1e-3, changed.engine.time_limit - (time.monotonic() - begun))
        changed = replace(changed, engine=replace(changed.engine, time_limit=left))
    return cast(C, changed)


def _refuse_other_settings(kind: type, folder: Path, settings: Any) -> None:
    from .engine import STATE

    if not (folder / STATE).is_file():
        return
    try:
        before = by_full_name(resolved(load_config(kind, folder / CONFIG)))
    except UserError:
        return  # not there, or damaged: the state tells whether it fits
    told = [
        f"{name}={before[name]}, not {value}"
        for name, value in by_full_name(resolved(settings)).items()
        if name not in FREE and before.get(name) != value
    ]
    if told:
        raise UserError(
            f"The run in {folder} has {'; '.join(told)}.",
            "Go on with the settings that it was started with, or choose another folder.",
        )


def by_full_name(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    """The values of all sections by names such as ``engine.steps``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, dict)
        found |= by_full_name(value, f"{section}{name}.") if inner else {f"{section}{name}": value}
    return found


def _refuse_unknown(values: dict[str, Any], kind: Any, where: str) -> None:
    hints = typing.get_type_hints(kind)
    fields = {name: hints[name] for name in kind.__dataclass_fields__}
    for name, value in values.items():
        if name not in fields:
            raise UserError(
                f"The configuration knows no setting {where}{name}.",
                f"It knows: {', '.join(sorted(fields))}.",
            )
        if isinstance(value, dict) and hasattr(fields[name], "__dataclass_fields__"):
            _refuse_unknown(value, fields[name], f"{where}{name}.")


def resolved(config: Any) -> dict[str, Any]:
    """Every setting of a configuration, the defaults included, as plain values."""
    # msgspec leaves out the defaults of dataclasses that it made itself
    return dict(msgspec.to_builtins(dataclasses.asdict(config)))


def lasting(config: Any) -> dict[str, Any]:
    """The :func:`resolved` configuration as it is stored: a time limit holds for one start only."""
    values = resolved(config)
    if "engine" in values:
        values["engine"]["time_limit"] = 0.0
    return values


def store_config(config: Any, path: Path) -> None:
    """Write the configuration beside what it makes, as JSON, which :func:`load_config` reads, too."""
    write_atomically(path, json.dumps(lasting(config), indent=1).encode())
