"""``tlscomm completion``: what has a shell complete commands, options, codes, stores and files."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._printing import say
from tlscomm.failures import printable

__all__ = ["command"]

_VARIABLE = "_TLSCOMM_COMPLETE"

_AFTERWARDS = {
    "bash": "The next bash completes tlscomm, where the package bash-completion is installed.",
    "zsh": "The next zsh completes tlscomm, if ~/.zshrc has before compinit: fpath+=({})",
    "fish": "The next fish completes tlscomm.",
}


@click.command("completion", cls=GroupedCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", "isInstalling", is_flag=True, help="Write it where the shell looks for it, and say where.")
def command(shell: str, *, isInstalling: bool) -> None:
    """Print what has SHELL complete the words of tlscomm.

    To try it in a shell that runs: source <(tlscomm completion bash). With --install the next shell has it.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "tlscomm", _VARIABLE).source()
    if isInstalling:
        _install(_placeOf(shell), script, shell)
    else:
        click.echo(script)


def _placeOf(shell: str) -> Path:
    data = _folder("XDG_DATA_HOME", ".local/share")
    return {
        "bash": data / "bash-completion" / "completions" / "tlscomm",
        "zsh": data / "zsh" / "site-functions" / "_tlscomm",
        "fish": _folder("XDG_CONFIG_HOME", ".config") / "fish" / "completions" / "tlscomm.fish",
    }[shell]


def _folder(variable: str, usual: str) -> Path:
    """Return a folder of the XDG Base Directory Specification, in which a relative path counts as none."""
    said = os.environ.get(variable, "")
    return Path(said) if os.path.isabs(said) else Path.home() / usual


def _install(place: Path, script: str, shell: str) -> None:
    shown = printable(str(place))
    try:
        if place.exists() and _VARIABLE not in place.read_text(encoding="utf-8", errors="replace"):
            raise click.ClickException(f"{shown} is there and not of tlscomm; move it away first")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{script}\n", encoding="utf-8")
    except OSError as problem:
        raise click.ClickException(f"{shown}: {problem.strerror}") from None
    say(shown)
    say(_AFTERWARDS[shell].format(printable(str(place.parent))), error=True)
