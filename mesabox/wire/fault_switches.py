"""The fault switches of the local engine: what each does, and where its like was seen. The engine's ``faults`` acts.

seen: the published thread (a repository's issue or pull request), or the section (§) of what is known of the protocol
of Sprites (or Mesa, where it says so), that tells of the behaviour.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["time", "bytes", "number"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """usual: what holds when none is given; a time or a number of bytes may be a range, of which one is drawn."""

    kind: Kind
    usual: str
    least: float = 0.0
    most: float = float(1 << 40)


@dataclass(frozen=True, slots=True)
class Switch:
    """does: one line, for people."""

    name: str
    does: str
    seen: str
    takes: Parameter | None = None


def _time(usual: str) -> Parameter:
    return Parameter("time", usual, most=86_400.0)


_REQUESTS = (
    Switch("latency", "each request waits before anything is done", "§2.9, §4.4", _time("300ms")),
    Switch("hang", "nothing is done, and nothing is ever answered", "§4.4"),
    Switch("rate-limit", "429 with Retry-After (seconds), nothing done", "§1.5", Parameter("number", "1", most=86_400)),
    Switch("unavailable", "a 5xx, nothing done", "§1.5", Parameter("number", "503", 500, 599)),
    Switch("lost-answer", "a change is made, then the connection ends without an answer", "§3.4, §4.4"),
    Switch("lost-answer-502", "a change is made, then the answer is an edge's 502", "superfly/sprites-docs#81"),
    Switch("cut-answer", "an answer's body breaks off after so many bytes, or somewhere if it has fewer", "§4.4",
           Parameter("bytes", "0-4K")),
    Switch("url-limit", "request lines above so many bytes are refused with 431", "§1.4", Parameter("bytes", "16K")),
)  # fmt: skip

_CREDENTIALS = (
    Switch("sprites-401", "Sprites refuses the token", "§1.2"),
    Switch("mesa-401", "Mesa refuses the credential as expired", "mesa §2.0"),
    Switch("key-ends-early", "a minted key ends after so long, whatever it was promised", "mesa §3.6", _time("5s")),
    Switch("no-minting", "Mesa makes no keys any more: 404", "mesa §1.6: gone from the schema in 0.48"),
)

_EXEC = (
    Switch("cut", "the socket ends without a close frame after so many bytes, also amid a frame",
           "§3.4, clouvet/sprite-mobile#5, #9, #14",
           Parameter("bytes", "0-64K")),
    Switch("no-exit", "closed with 1000, and no exit was told", "superfly/sprites-py#16, sprites-go 8176adf"),
    Switch("close-1011", "closed with 1011, and no exit was told", "superfly/sprites-py#11"),
    Switch("lost-output", "a command that ends within so long: no output, no exit, closed with 1000",
           "superfly/sprites-py#16",
           _time("500ms")),
    Switch("exit-late", "the exit is told so much later", "§3.3", _time("3s")),
    Switch("exit-never", "all output comes, the exit never does, and the socket stays open", "§3.3"),
    Switch("exec-hangs", "opened, and then nothing more is ever told",
           "superfly/sprites-go#11, OpenRouterLabs/spawn#2428"),
    Switch("slow-close", "the socket is held so long after the exit", "superfly/sprites-py#24, #26", _time("5s")),
    Switch("json-exit", "a JSON exit before the exit frame", "§3.3"),
    Switch("json-exit-only", "a JSON exit instead of the exit frame", "§3.3"),
    Switch("json-exit-early", "a JSON exit, then the last output, then the exit frame", "§3.3, §3.9"),
    Switch("late-frames", "control frames, another exit among them, after the exit frame",
           "§3.3, superfly/sprites-js#16, #18, #21"),
    Switch("output-after-exit", "the last piece of output comes after the exit", "§3.3, §3.6"),
    Switch("wrong-exit", "this exit code instead of the command's",
           "superfly/sprites-py#7", Parameter("number", "255", 0, 255)),
    Switch("no-signal-header", "no X-Sprite-Capabilities: signals are to go by POST kill", "§1.4"),
    Switch("signals-ignored", "signal frames are taken and do nothing", "§3.2"),
    Switch("stdin-lost", "what is sent as input never arrives", "superfly/sprites-go#22"),
    Switch("stdin-eof-lost", "the end of input never arrives", "superfly/sprites-docs#88"),
    Switch("env-replaced", "variables given with a command replace its environment", "§3.1"),
    Switch("tty-dropped", "a terminal's connection ends without a close frame after its JSON exit", "§3.3"),
    Switch("no-heartbeat", "a silent command's socket is silent too", "2witstudios/PageSpace#1723, #2029"),
    Switch("pause", "when a socket has been silent so long the sprite pauses: its connections drop", "§4.4, §7",
           _time("30s")),
)  # fmt: skip

_SESSIONS = (
    Switch("sessions-vanish", "nothing is known of a session that has ended: 404 instead of 410", "§2.6, §7"),
    Switch("is-active-wrong", "is_active in the list of sessions says the opposite", "§2.6, §7"),
    Switch("screen-scrollback", "who attaches is shown a rendered screen, not the bytes", "§3.5, §7"),
)

_SPRITES = (
    Switch("missing-sprite-500", "a missing sprite is a 500, in the recorded words", "§2.4"),
    Switch("has-more", "has_more is true on the last page, without a token", "§2.3"),
    Switch("bare-list", "the list tells name, org_slug and updated_at alone", "§2.3"),
    Switch(
        "sprite-limit", "so many sprites at once; the next is a 429", "§1.5, §7", Parameter("number", "3", most=1e6)
    ),
    Switch("sprite-not-ready", "a sprite is listed, but its commands and files are a 503", "TanStack/ai#868"),
    Switch("slow-wake", "a sprite that is asleep takes so long to wake", "§4.4", _time("2s-12s")),
)

_DISK = (
    Switch("missing-checkpoint-500", "a missing checkpoint is a 500 of plain text", "§1.5, §2.8"),
    Switch("checkpoint-fails", "a checkpoint is not made, which its 200 tells in a line", "§2.8"),
    Switch("restore-hangs", "a restore is done, and its stream never says so", "TanStack/ai#868"),
    Switch("restore-no-end", "a restore's stream is complete and never ends", "TanStack/ai#868"),
    Switch("read-not-ready", "files can be listed and not read: EIO", "TanStack/ai#868"),
    Switch("disk-full", "files cannot be written: ENOSPC", "§7"),
)

_MOUNTS = (
    Switch("mount-fails", "mesa mount fails in the sprite", "mesa §7"),
    Switch("mount-late", "mesa mount -d returns so long before the mount is live", "mesa §4.3", _time("1s")),
    Switch("late-edits", "what is written in a mount is in Mesa so much later", "mesa §3.5", _time("1s")),
    Switch("fuse-needs-sudo", "/dev/fuse and /etc/fuse.conf are root's (not at tier single, where all are)", "§4.2"),
)

GROUPS: tuple[tuple[str, tuple[Switch, ...]], ...] = (
    ("any request", _REQUESTS),
    ("credentials", _CREDENTIALS),
    ("commands (the exec socket)", _EXEC),
    ("sessions", _SESSIONS),
    ("sprites", _SPRITES),
    ("checkpoints and files", _DISK),
    ("mounts", _MOUNTS),
)
SWITCHES: dict[str, Switch] = {switch.name: switch for _, group in GROUPS for switch in group}
