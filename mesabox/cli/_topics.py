"""The texts of ``mesabox help TOPIC``."""

from collections.abc import Callable, Mapping

from mesabox.config.environment import VARIABLES

_EXIT_CODES = """\
Commands that run a command (go, run, sh, runs attach, runs rerun) exit with its own code, and

  124  the time limit was reached
  125  mesabox or a service failed (the error's code says which)
  126  the command cannot be executed
  127  the command was not found
  128+n  it was ended by signal n
  130  Ctrl-C

The others exit with

  0   ok
  1   it was tried and did not work
  2   the words given do not fit together (go, run and sh too)
  3   there is no such thing
  4   credentials: missing, wrong, expired, or without the right
  5   it exists already, or was changed at the same time
  6   this machine or service cannot do it
  70  a bug of ours: the message names a log file
  75  try again later

Examples:
  mesabox go -- make test; echo $?
  mesabox go --json -- make test | jq '{exit_code, failed_by, code: .error.code}'
"""

_OUTPUT = """\
stdout is data, stderr is talk.

  in a terminal   tables with borders, a live list of steps
  in a pipe       one line a row, cells separated by tabs; plain lines of progress
  -q              ids, or the one value asked for, and no talk
  --json          one object on stdout, on failure too:

  {"schema": 1, "command": "repo create", "status": "ok", "exit_code": 0,
   "data": {...}, "error": null}
  {"schema": 1, "command": "repo show", "status": "error", "exit_code": 3, "data": null,
   "error": {"code": "not_found", "title": "...", "detail": "...", "fix": "...", "retryable": false}}

Fields are added to it, never changed. In go and run, stdout is the command's own, byte for byte; with --json it is in
data.stdout and data.stderr (base64 when it is not UTF-8, which data.stdout_encoding says), and failed_by is one of
command, timeout, signal, service, mesabox, or null.

  --ndjson        go, run, runs rerun: one event a line on stdout, as it happens; runs logs: those of the record
  --events FILE   go and run: the same into a file, beside what a person sees

  {"seq": 1, "ts": 1795453137.01, "run_id": "261123-165857-v6qx", "type": "start", "schema": 1, "command": "go", ...}
  {"seq": 2, "ts": ..., "run_id": ..., "type": "phase", "name": "sprite", "state": "started"}
  {"seq": 9, "ts": ..., "run_id": ..., "type": "output", "stream": "stdout", "data": "hello\\n"}
  {"seq": 20, "ts": ..., "run_id": ..., "type": "end", "status": "ok", "exit_code": 0, "data": {...}, ...}

  runs logs RUN --ndjson [--follow] [--after SEQ] [--since 10m]
                  the same of a run on record, in the numbers of its record

Types: start, note, warning, phase (started, done, failed), making, made, removed, kept, base (the state the run began
from), seeded, command, output (data_encoding is base64 where it is not UTF-8), exit, changes, resumed, and at last end.
Others may be added. Secrets in events, errors and the record
appear as ***; a command's own output in a terminal, a pipe or data.stdout is left as it is. A byte of a name that is
no UTF-8 is U+FFFD in JSON.

Examples:
  sprite=$(mesabox sprite up builder -q)
  mesabox repo list --json | jq -r '.data[].name'
  mesabox go --ndjson -- make test | jq -c 'select(.type == "phase")'
  mesabox go --events run.ndjson -- make test
"""

_CI = """\
With CI=true, with --no-input, or without a terminal, nothing is ever asked: what would be asked is an error that names
the flag to give. Progress is one plain line when a step starts and ends, and one every 10 s in a long one.

  mesabox go --json -- make test > run.json

In GitHub Actions (GITHUB_ACTIONS=true) each step is a group, errors and warnings are annotations, minted keys are
masked, the outputs run_id, exit_code and change_id are set, and the step's summary gets a table. What the sandbox
prints is fenced by stop-commands, so that nothing in it is taken for a workflow command; stdout is fenced only where
it goes to the log itself, so that $(mesabox run ...), pipes and files get the command's bytes and no others.

A job that is cancelled (INT, TERM, then KILL) leaves nothing behind: the first signal starts the teardown, and what a
KILL prevents is ended by the limit inside the sprite and by the key's lifetime. `mesabox gc` removes the rest, and so
does the next `mesabox go` once that time is over.
A run that is to outlive its job step: mesabox go --detach, then mesabox runs attach in a later one.

On a terminal the first Ctrl-C is the command's own, the second starts the teardown, the third leaves at once and says
how to remove what is left. While a command has the terminal, Ctrl-C is its key like any other; the second counts when
the command did nothing about the first for a second or more.

Where the runner forbids user namespaces and is thrown away anyway: MESABOX_ISOLATION=none.

Examples:
  mesabox go --json --timeout 30m -- make test > run.json
  mesabox go --secret NPM_TOKEN --events run.ndjson -- npm publish
  mesabox gc     # as the last step of a job, whatever became of the others
"""

_CONFIG = """\
What is set in several places is taken from the first of

  1. a flag
  2. the environment                  mesabox help environment
  3. mesabox.toml of the project      in this folder or one above it
  4. your config.toml                 mesabox config path
  5. the default

`mesabox config show --origin` says where each value came from; `mesabox config init` writes a config.toml with every
setting. A project's file may come from someone else, so isolation and the services' addresses cannot be set there.

  # mesabox.toml
  [go]
  repo = "agent-workspace"
  timeout = "30m"

Examples:
  mesabox config show --origin
  mesabox config init && $EDITOR "$(mesabox config path -q)"
"""

_ENGINE = """\
--engine auto   cloud when a Mesa credential and a Sprites token are both set, local when neither is
--engine cloud  api.mesa.dev and api.sprites.dev (or MESA_API_URL, SPRITES_API_URL)
--engine local  both services on this machine: real sandboxes, real repos, no account

The local engine speaks both services' own protocols on 127.0.0.1, so that their published clients work with it:

  eval "$(mesabox engine env)"      then any program finds it by SPRITES_API_URL, SPRITES_TOKEN, MESA_API_URL, ...
  mesabox --engine cloud go ...     the cloud's client code against the local engine

It starts by itself, keeps its state (mesabox config path) and ends when it is idle. `mesabox doctor` says whether this
machine can isolate sandboxes, and what mends it when not. It can go wrong on purpose: mesabox help faults.

Examples:
  mesabox doctor
  mesabox --engine local go -- make test
  mesabox engine logs -n 20
"""


_CREDENTIALS = """
Credentials can be kept instead, in the OS keyring where there is one: mesabox auth login. A variable goes before what
is kept. Neither they nor a --secret are taken from the command line, which everybody on a machine can read:

  mesabox go --secret TOKEN ...             TOKEN as it is set here
  mesabox go --secret TOKEN=@FILE ...       what is in a file
  pass show it | mesabox go --secret TOKEN=- ...

Its value is in the environment of that command alone: not in an argument, a URL, a log, or the run's record.

What is no secret goes with -e NAME, -e NAME=VALUE or --env-file FILE (KEY=VALUE lines, # comments, KEY alone passes it
on; -e goes before it).

Examples:
  MESABOX_ENGINE=local mesabox go -- make test
  mesabox auth login mesa --with-token < key.txt
  mesabox go --env-file .env --secret NPM_TOKEN -- make test
"""

_FAULTS = """\
The local engine can go wrong on purpose, in the ways in which the real services have been seen to. Faults apply to
every client of the engine, and to nothing below /_engine; engine start --fault replaces those that were on, also of an
engine that runs; engine stop ends them. `mesabox engine status` says what is on, and how often each has fired.

{grammar}
{switches}
Examples:
  mesabox engine start --fault cut=0.3 --fault rate-limit=x2:1
  mesabox engine start --fault mount-fails=x1 --fault-seed 7      # the same requests meet the same faults
  mesabox engine start --fault "lost-answer=x1@POST /v1/sprites$"
  mesabox engine start --fault none
"""


def _faults() -> str:
    from mesabox.wire.fault_switches import GROUPS
    from mesabox.wire.faults import GRAMMAR

    width = max(len(switch.name) for _, group in GROUPS for switch in group)
    lines = []
    for title, group in GROUPS:
        lines.append(f"{title}:")
        for switch in group:
            amount = f" ({switch.takes.usual})" if switch.takes else ""
            lines.append(f"  {switch.name:<{width}}  {switch.does}{amount}")
        lines.append("")
    return _FAULTS.format(grammar=GRAMMAR, switches="\n".join(lines))


def _environment() -> str:
    width = max(len(variable.name) for variable in VARIABLES)
    return "".join(f"{variable.name:<{width}}  {variable.help}\n" for variable in VARIABLES) + _CREDENTIALS


TOPICS: Mapping[str, Callable[[], str]] = {
    "ci": lambda: _CI,
    "config": lambda: _CONFIG,
    "engine": lambda: _ENGINE,
    "environment": _environment,
    "exit-codes": lambda: _EXIT_CODES,
    "faults": _faults,
    "output": lambda: _OUTPUT,
}
