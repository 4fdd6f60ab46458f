"""Open a shell in a sprite; with a pipe on stdin, run what comes through it."""

from mesabox.cli._flow import Attempt, EnvironmentFileOption, EnvironmentOption, SecretOption, TtyOption, WorkdirOption
from mesabox.cli._options import SpriteName
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox sh builder",
    "mesabox sh builder -w /etc",
    "echo 'uname -a; exit 3' | mesabox sh builder",
)


async def command(
    board: Switchboard,
    sprite: SpriteName,
    env: EnvironmentOption = None,
    env_file: EnvironmentFileOption = None,
    secret: SecretOption = None,
    workdir: WorkdirOption = None,
    tty: TtyOption = None,
) -> Result:
    terminals = board.streams.stdin_terminal and board.streams.stdout.terminal and not board.manner.json
    words = () if (terminals if tty is None else tty) else ("bash",)
    return await Attempt(board, words, env, workdir, tty, None, secret, env_file).run(sprite, None)
