"""Print the completion script of a shell."""

from typing import Annotated, Literal

from typer import Argument

from mesabox.cli._shells import SHELLS
from mesabox.cli._vocabulary import places
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    'eval "$(mesabox completion bash)"',
    'mesabox completion zsh > "${fpath[1]}/_mesabox"',
    "mesabox completion fish > ~/.config/fish/completions/mesabox.fish",
    "mesabox completion powershell | Out-String | Invoke-Expression",
)


def command(
    _: Switchboard,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"], Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")
    ],
) -> Result:
    script = SHELLS[shell](places())
    return Result(data={"shell": shell, "script": script}, view=[script], quiet=[script.rstrip("\n")])
