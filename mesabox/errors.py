"""What can go wrong, in one tree; each kind says its exit code.

MesaboxError                what, why, fix, code, retryable
├── UsageProblem        2   the words given do not fit together
├── NotFound            3   no such repo, sprite, run, ...
├── CredentialsProblem  4   missing, wrong, expired, or without the right
├── Conflict            5   it exists already, or someone changed it meanwhile
├── Unsupported         6   this machine or service cannot do it
├── TryLater           75   rate limited, unreachable, locked, port taken
├── Interrupted       130   Ctrl-C
├── Failed              1   it was tried and did not work
│   ├── ServiceError        the service answered, and said no in a way we have no kind for
│   └── OutcomeUnknown      the connection ended before the outcome was told
└── Bug                70   our own mistake

Commands that run a command (`go`, `run`, `sh`, ...) answer 125 for every one of these once their arguments parse;
``code`` in the JSON says which it was.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CREDENTIALS = 4
    CONFLICT = 5
    UNSUPPORTED = 6
    BUG = 70
    TRY_LATER = 75
    TIMEOUT = 124
    MESABOX_FAILED = 125
    NOT_EXECUTABLE = 126
    COMMAND_NOT_FOUND = 127
    INTERRUPTED = 130


class MesaboxError(Exception):
    """An error a person can act on.

    what: one sentence that names the input ("repo 'x' already exists").
    why: the reason in the service's or kernel's words; fix: the next command or change, as one line.
    code: a stable machine word (``repo_exists``); defaults to the kind's own.
    """

    exit_code: ExitCode = ExitCode.FAILED
    default_code = "failed"
    default_retryable = False

    def __init__(
        self, what: str, *, why: str = "", fix: str = "", code: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.code = code or self.default_code
        self.retryable = self.default_retryable if retryable is None else retryable


class UsageProblem(MesaboxError):
    exit_code = ExitCode.USAGE
    default_code = "usage"


class NotFound(MesaboxError):
    exit_code = ExitCode.NOT_FOUND
    default_code = "not_found"


class CredentialsProblem(MesaboxError):
    exit_code = ExitCode.CREDENTIALS
    default_code = "credentials"


class Conflict(MesaboxError):
    exit_code = ExitCode.CONFLICT
    default_code = "conflict"


class Unsupported(MesaboxError):
    exit_code = ExitCode.UNSUPPORTED
    default_code = "unsupported"


class TryLater(MesaboxError):
    """after: the seconds that a service asked for."""

    after: float | None = None
    exit_code = ExitCode.TRY_LATER
    default_code = "try_later"
    default_retryable = True


class Interrupted(MesaboxError):
    exit_code = ExitCode.INTERRUPTED
    default_code = "interrupted"


class Failed(MesaboxError):
    exit_code = ExitCode.FAILED


class ServiceError(Failed):
    default_code = "service_error"


class OutcomeUnknown(Failed):
    default_code = "outcome_unknown"


class Bug(MesaboxError):
    exit_code = ExitCode.BUG
    default_code = "bug"
