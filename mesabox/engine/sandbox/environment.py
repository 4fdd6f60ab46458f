"""What a command finds in its environment when nobody says otherwise."""

from mesabox.engine.sandbox import identity

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TERM = "xterm-256color"


def inside(user: str, *, terminal: bool) -> dict[str, str]:
    return _environment(user, identity.home(user), f"/.sprite/bin:{_PATH}", terminal)


def plain(home: str, tools: str, door: str, *, terminal: bool) -> dict[str, str]:
    """Without isolation: the folder is the home, and the tools learn where their socket is."""
    variables = _environment("sprite", home, f"{tools}:{_PATH}", terminal)
    return {**variables, "MESABOX_DOOR": f"{door}/door.sock"}


def _environment(user: str, home: str, path: str, terminal: bool) -> dict[str, str]:
    variables = {
        "PATH": path,
        "HOME": home,
        "USER": user,
        "LOGNAME": user,
        "SHELL": identity.shell(),
        "LANG": "C.UTF-8",
    }
    return {**variables, "TERM": _TERM} if terminal else variables
