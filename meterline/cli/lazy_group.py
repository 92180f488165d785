"""Command groups that import a command's module when it is asked for: 'meterline tariff price' must not wait for DuckDB."""

from __future__ import annotations

from importlib import import_module

import click


class LazyGroup(click.Group):
    """A group of commands of which each lives in a module of its own, as its attribute `command`.

    `modules` is command -> module; the help text of the group imports all of them, a command only its own.
    """

    modules: dict[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.modules)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.modules:
            return None
        command: click.Command = import_module(self.modules[name]).command
        return command
