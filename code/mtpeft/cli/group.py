"""A group of commands, with one that runs when none of them is named."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup


class Group(TyperGroup):
    """A group whose first word may also be the argument of its `default` command.

    `mtpeft score FILE pylint` is `mtpeft score file FILE pylint`: a first word that names no command
    of the group is taken for an argument of the default one.
    """

    default = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front of what is not a command or a call for help."""
        known = set(self.list_commands(ctx))
        help_asked = bool(args) and args[0] in ctx.help_option_names
        if self.default and not help_asked and (not args or args[0] not in known):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def group(name: str, text: str, default: str = "") -> typer.Typer:
    """A group of commands.

    Args:
        name: The word after `mtpeft`.
        text: What its help says first.
        default: The command that runs when none is named; empty shows the help.
    """
    kind = type(f"{name.title()}Group", (Group,), {"default": default})
    return typer.Typer(
        name=name, help=text, cls=kind, no_args_is_help=not default, pretty_exceptions_enable=False
    )


def example(*lines: str) -> dict[str, Any]:
    """The last paragraph of a command's help: one or more complete examples."""
    shown: Sequence[str] = [f"  $ {line}" for line in lines]
    return {"epilog": "Example:\n\n" + "\n\n".join(shown)}
