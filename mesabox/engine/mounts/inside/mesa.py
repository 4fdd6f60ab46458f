"""mesa inside a sprite: mounts an organization's repos, by asking the engine through the sprite's door.

Credentials come from the environment or the config file and leave only through that socket. It starts often and does
little, so it imports little (no pathlib, no argparse).
"""
# ruff: noqa: PTH100, PTH103, PTH105, PTH111, PTH120, PTH123

import json
import os
import sys
from typing import Any

Options = dict[str, Any]
VERSION = "0.49.1"
DOOR = "/.sprite/run/door.sock"
USAGE = """\
usage: mesa [-c FILE] [-y] COMMAND

  mount [-d|--daemonize] [-y]   mount the repos of every organization known; without -d, until interrupted
  unmount [PATH]                take the mounts away (all, or those below PATH); also: umount
  status                        what is mounted
  repo list [--all]             the repos that are mounted, or all that could be
  auth set-key [--org ORG]      read a key from stdin and keep it
  dump-default-mesaignore       what is never persisted
  version

environment: MESA_ORGS=org:key[,org:key...], or MESA_ORG and MESA_API_KEY, or MESA_ACCESS_TOKEN; MESA_MOUNT_POINT;
MESA_REPO_REVS=org/repo=bookmark:NAME|change-id:ID[,...]; MESA_NO_CONFIG_FILE
"""


class Failure(Exception):
    """One line for stderr, and the exit code: 1 failed, 2 usage, 75 try again later."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def main(words: list[str]) -> int:
    try:
        return run(*options(words))
    except Failure as failure:
        print(f"mesa: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        print(f"mesa: {error.strerror}{place}", file=sys.stderr)
        return 1


def options(words: list[str]) -> tuple[list[str], Options]:
    """(words without options, options); the global ones may stand anywhere."""
    given: Options = {}
    rest: list[str] = []
    words = list(words)
    flags = {"-y": "yes", "--non-interactive": "yes", "-d": "daemonize", "--daemonize": "daemonize", "--all": "all"}
    valued = {"-c": "config", "--config-path": "config", "--org": "org"}
    informative = {"-h": "help", "--help": "help", "-V": "version", "--version": "version"}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in valued:
            if not equals and not words:
                raise Failure(f"{name} needs a value", 2)
            given[valued[name]] = value if equals else words.pop(0)
        elif word in flags:
            given[flags[word]] = True
        elif word in informative:
            rest = [informative[word]]
            break
        elif word.startswith("-"):
            raise Failure(f"unexpected argument '{word}'; see mesa --help", 2)
        else:
            rest.append(word)
    return rest, given


def run(words: list[str], given: Options) -> int:
    commands = {
        ("mount",): mount,
        ("unmount",): unmount,
        ("umount",): unmount,
        ("status",): status,
        ("repo", "list"): repo_list,
        ("auth", "set-key"): set_key,
        ("dump-default-mesaignore",): dump_ignore,
        ("version",): version,
        ("help",): usage,
    }
    if not words:
        raise Failure(f"no command given\n{USAGE}", 2)
    for length in (2, 1):
        if command := commands.get(tuple(words[:length])):
            return command(words[length:], given)
    raise Failure(f"unrecognized command '{' '.join(words[:2])}'; see mesa --help", 2)


def usage(_words: list[str], _given: Options) -> int:
    print(USAGE, end="")
    return 0


def version(_words: list[str], _given: Options) -> int:
    print(f"mesa {VERSION} (mesabox's local engine)")
    return 0


def mount(words: list[str], given: Options) -> int:
    nothing_more(words)
    config = Config(given)
    config.add_environment()
    mount_point = config.mount_point()
    os.makedirs(mount_point, exist_ok=True)
    reply = ask({"op": "mesa.mount", "mount_point": mount_point, "orgs": config.requests()})
    config.save(mount_point)
    for org in reply["orgs"]:
        os.makedirs(f"{mount_point}/{org}", exist_ok=True)
    for mounted in reply["mounts"]:
        print(f"{mounted['org']}/{mounted['repo']} -> {mounted['path']}{' (read-only)' * mounted['read_only']}")
    if not given.get("daemonize"):
        stay(mount_point)
    return 0


def stay(mount_point: str) -> None:
    """In the foreground, until a signal."""
    import signal

    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    print("mounted; Ctrl-C to unmount", file=sys.stderr)
    signal.sigwait(ending)
    ask({"op": "mesa.unmount", "path": mount_point})


def unmount(words: list[str], _given: Options) -> int:
    nothing_more(words[1:])
    path = os.path.abspath(os.path.expanduser(words[0])) if words else None
    gone = ask({"op": "mesa.unmount", "path": path})["unmounted"]
    for one in gone:
        print(f"unmounted {one}")
    if words and not gone:
        raise Failure(f"nothing is mounted below {path}")
    return 0


def status(words: list[str], _given: Options) -> int:
    nothing_more(words)
    mounts = ask({"op": "mesa.status"})["mounts"]
    for one in mounts:
        mode = "ro" if one["read_only"] else "rw"
        print(f"{one['org']}/{one['repo']}\t{mode}\t{one['bookmark'] or one['change_id']}\t{one['path']}")
    if not mounts:
        print("nothing is mounted")
    return 0


def repo_list(words: list[str], given: Options) -> int:
    nothing_more(words)
    if given.get("all"):
        config = Config(given)
        config.add_environment()
        repos = ask({"op": "mesa.repos", "orgs": config.requests()})["repos"]
    else:
        repos = ask({"op": "mesa.status"})["mounts"]
    for one in repos:
        print(f"{one['org']}/{one['repo']}")
    return 0


def set_key(words: list[str], given: Options) -> int:
    nothing_more(words)
    config = Config(given)
    org = given.get("org") or (next(iter(config.orgs)) if len(config.orgs) == 1 else None)
    if not org:
        raise Failure("say which organization the key is for: --org ORG", 2)
    key = sys.stdin.readline().strip()
    if not key:
        raise Failure("no key on stdin", 2)
    config.orgs.setdefault(org, {})["api-key"] = key
    config.save(None)
    return 0


def dump_ignore(words: list[str], _given: Options) -> int:
    nothing_more(words)
    print(ask({"op": "mesa.ignored"})["patterns"], end="")
    return 0


def nothing_more(words: list[str]) -> None:
    if words:
        raise Failure(f"unexpected argument '{words[0]}'", 2)


class Config:
    """The config file, and for this run the environment on top; ``passing``: (organization, credential) never kept."""

    def __init__(self, given: Options) -> None:
        self.path = given.get("config")
        self.values = {} if os.environ.get("MESA_NO_CONFIG_FILE") else self.read()
        self.orgs: dict[str, Options] = self.values.setdefault("organizations", {})
        self.passing: list[tuple[str | None, str]] = []

    def places(self) -> list[str]:
        if self.path:
            return [self.path]
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return [f"{home}/mesa/config.toml", os.path.expanduser("~/.config/mesa/config.toml"), "/etc/mesa/config.toml"]

    def read(self) -> Options:
        import tomllib

        for place in self.places():
            try:
                with open(place, "rb") as stream:
                    values = tomllib.load(stream)
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise Failure(f"{place}: {error}", 2) from None
            if not all(isinstance(table, dict) for table in values.get("organizations", {}).values()):
                raise Failure(f"{place}: organizations must be tables", 2)
            return values
        return {}

    def add_environment(self) -> None:
        """MESA_ORGS replaces the key of an organization that is known already; a signed token is never kept."""
        for item in filter(None, os.environ.get("MESA_ORGS", "").split(",")):
            org, colon, key = item.strip().partition(":")
            if not (org and colon and key):
                raise Failure("MESA_ORGS is <org>:<key>[,<org>:<key>...]", 2)
            self.orgs.setdefault(org, {})["api-key"] = key
        single, owner = os.environ.get("MESA_API_KEY"), os.environ.get("MESA_ORG")
        if single and owner:
            self.orgs.setdefault(owner, {})["api-key"] = single
        elif single:
            self.passing.append((None, single))
        if token := os.environ.get("MESA_ACCESS_TOKEN"):
            self.passing.append((organization_of(token), token))

    def mount_point(self) -> str:
        chosen = os.environ.get("MESA_MOUNT_POINT") or self.values.get("mount-point") or "~/.local/share/mesa/mnt"
        return os.path.abspath(os.path.expanduser(chosen))

    def requests(self) -> list[Options]:
        """What the engine is asked for; a signed token goes before a kept key of the same organization."""
        signed = {org for org, _ in self.passing}
        wanted = [self.request(org, token) for org, token in self.passing]
        for org, table in self.orgs.items():
            if org not in signed and table.get("api-key"):
                wanted.append(self.request(org, table["api-key"]))
        if not wanted:
            raise Failure("no API key found for any organization: set MESA_ORGS=<org>:<key>, or mesa auth set-key")
        return wanted

    def request(self, org: str | None, credential: str) -> Options:
        table = self.orgs.get(org or "", {})
        repos = table.get("repos", {})
        explicit = table.get("mount") == "explicit" or ("mount" not in table and bool(repos))
        pinned = {name: revision(repo["rev"]) for name, repo in repos.items() if repo.get("rev")}
        pinned.update(pinned_by_environment(org))
        return {"org": org, "credential": credential, "only": list(repos) if explicit else None, "revisions": pinned}

    def save(self, mount_point: str | None) -> None:
        """For the next run, which may have no environment: 0600, and whole or not at all."""
        if os.environ.get("MESA_NO_CONFIG_FILE") or not self.orgs:
            return
        if mount_point:
            self.values["mount-point"] = mount_point
        place = self.places()[0]
        os.makedirs(os.path.dirname(os.path.abspath(place)), mode=0o700, exist_ok=True)
        beside = f"{place}.{os.getpid()}"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(toml(self.values))
        os.replace(beside, place)


def organization_of(token: str) -> str | None:
    """``iss`` of a token signed with a private key; None for one signed with an API key, whose engine knows."""
    import base64

    try:
        header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
        return payload["iss"] if header["alg"] == "EdDSA" else None
    except (ValueError, KeyError, TypeError):
        raise Failure("MESA_ACCESS_TOKEN is no access token", 2) from None


def pinned_by_environment(org: str | None) -> dict[str, str]:
    pinned = {}
    for item in filter(None, os.environ.get("MESA_REPO_REVS", "").split(",")):
        name, equals, rev = item.strip().partition("=")
        owner, slash, repo = name.partition("/")
        if not (equals and slash and repo and rev):
            raise Failure("MESA_REPO_REVS is <org>/<repo>=bookmark:<name> or =change-id:<id>, separated by commas", 2)
        if owner == org:
            pinned[repo] = rev
    return pinned


def revision(table: Any) -> str:
    """``{ bookmark = "main" }`` -> ``bookmark:main``."""
    if not isinstance(table, dict) or len(table) != 1:
        raise Failure('rev is { bookmark = "…" } or { change-id = "…" }', 2)
    [(kind, value)] = table.items()
    return f"{kind}:{value}"


def toml(values: Options, prefix: str = "") -> str:
    """Plain values first, then the tables; quotes as JSON writes them are TOML's too."""
    plain = tables = ""
    for name, value in values.items():
        if isinstance(value, dict):
            tables += f"\n[{prefix}{key(name)}]\n" + toml(value, f"{prefix}{key(name)}.")
        else:
            plain += f"{key(name)} = {json.dumps(value, ensure_ascii=False, default=str)}\n"
    return plain + tables


def key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else json.dumps(name)


def ask(request: Options) -> Options:
    """One line to the engine, one line back."""
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.connect(os.environ.get("MESABOX_DOOR", DOOR))
            door.sendall(json.dumps(request).encode() + b"\n")
            line = door.makefile("rb").readline()
    except OSError as error:
        raise Failure(f"the engine does not answer: {error.strerror}", 75) from None
    if not line:
        raise Failure("the engine ended the connection", 75)
    reply: Options = json.loads(line)
    if not reply.get("ok"):
        raise Failure(reply.get("error", "refused"), reply.get("exit", 1))
    return reply


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
