"""What is run inside a sprite, as POSIX sh that dash, bash and busybox all take. Values come as arguments or on stdin.

The preparation is Mesa's own integration page for Sprites, made idempotent: installer when ``mesa`` is missing,
``user_allow_other`` in fuse.conf, ``/dev/fuse`` usable; ``sudo -n`` only when not root.
"""

INSTALLER = "https://mesa.dev/install.sh"

WHOLE = "# whole\n"
"""The last line of what travels on stdin to be kept: a connection that ends early looks like its end."""

TAKE_SCRIPT = """set -eu
place=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox
mkdir -p "$place"
cat > "$place/$1.$$"
[ "$(tail -n 1 "$place/$1.$$")" = '# whole' ] || { rm -f "$place/$1.$$"; exit 64; }
mv "$place/$1.$$" "$place/$1"
"""
"""argv: the name of a script of ours, whose text is stdin and ends with WHOLE: kept beside the jobs that it runs. Exit
64 when not all of it arrived.
"""

PREPARE = f"""{TAKE_SCRIPT}
as_root() {{ if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }}
say() {{ printf '%s\\n' "$1" >&2; }}
if ! command -v mesa >/dev/null 2>&1; then
  command -v curl >/dev/null 2>&1 || {{ say 'curl is needed to install mesa and is not there'; exit 71; }}
  curl -fsSL {INSTALLER} | sh -s -- --yes >&2 || {{ say 'the installer of mesa failed'; exit 72; }}
  command -v mesa >/dev/null 2>&1 || {{ say 'mesa is not on PATH after its installer ran'; exit 72; }}
  echo 'mesa installed'
fi
[ -z "${{MESABOX_DOOR:-}}" ] || exit 0
if [ "$(id -u)" != 0 ] && [ -f /etc/fuse.conf ] && ! grep -qs '^[[:space:]]*user_allow_other' /etc/fuse.conf; then
  if [ -w /etc/fuse.conf ]; then run=; else run=as_root; fi
  $run sed -i 's/^[#[:space:]]*user_allow_other.*/user_allow_other/' /etc/fuse.conf
fi
if [ -e /dev/fuse ] && {{ ! [ -r /dev/fuse ] || ! [ -w /dev/fuse ]; }}; then
  chmod 666 /dev/fuse 2>/dev/null || as_root chmod 666 /dev/fuse || {{ say '/dev/fuse cannot be opened'; exit 73; }}
fi
"""
"""argv and stdin: as TAKE_SCRIPT has them. Exit 0 when ``mesa`` can mount; 71 no curl, 72 no mesa, 73 no FUSE. Says so
when it had to install it.

An engine without isolation (MESABOX_DOOR tells) mounts without FUSE, and /etc and /dev there are the machine's own.
"""

MOUNT = """set -u
org=$1 form=$2 revs=$3 place=$4 run=$5; shift 5
root=$HOME/.local/share/mesa/mnt
say() { printf '%s\\n' "$1" >&2; }
if [ "$form" != again ]; then
  IFS= read -r credential || { say 'no credential on stdin'; exit 64; }
  export MESA_ORG="$org" MESA_ORGS="$org:$credential"
  if [ "$form" = token ]; then export MESA_ACCESS_TOKEN="$credential"; else export MESA_API_KEY="$credential"; fi
  unset credential
fi
[ -z "$revs" ] || export MESA_REPO_REVS="$revs"
if [ "$place" = memory ] && [ -w /dev/shm ] && [ -z "${MESABOX_DOOR:-}" ]; then
  export XDG_CONFIG_HOME=/dev/shm/mesabox-config
  mkdir -p -m 700 "$XDG_CONFIG_HOME"
fi
if [ "$form" = key ] && [ "$place" = home ]; then
  printf '%s\\n' "$MESA_API_KEY" | timeout 20 mesa -y auth set-key --org "$org" >/dev/null 2>&1
fi
mesa mount -d -y </dev/null >&2 || { say "mesa mount failed with exit $?"; exit 74; }
live() {
  ls -A "$1" >/dev/null 2>&1 || return 1
  [ -L "$1" ] || [ "$(stat -c %d "$1" 2>/dev/null)" != "$(stat -c %d "$HOME")" ]
}
jobs=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/jobs
mkdir -p "$jobs"
[ -e "$jobs/$run.mounted" ] || : > "$jobs/$run.mounted"
for repo in "$@"; do
  tries=0
  until live "$root/$org/$repo"; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || { say "the mount of $repo does not answer"; exit 75; }
    sleep 0.2
  done
  if [ -w "$root/$org/$repo" ]; then access=rw; else access=ro; fi
  printf '%s %s\\n' "$access" "$root/$org/$repo"
done
"""
"""argv: org, form (key | token | again), MESA_REPO_REVS or empty, config place (memory | home), run, repos.

The credential is the one line on stdin. Prints ``rw|ro <folder>`` a repo once each is a mount that lists; exit 74 when
mesa failed, 75 when the mount does not answer. ``memory`` is for sprites that are destroyed at the end: in others
the key is kept before it is used, so that a mount that failed can be tried again without it. In an engine without
isolation (MESABOX_DOOR tells) /dev/shm would be the machine's, and the sprite's folder goes anyway. RUN.mounted beside
the jobs is as old as the first mount of that run: what is newer may have been written by it (HELD).
"""

UNMOUNT = """set -u
root=$HOME/.local/share/mesa/mnt
command -v mesa >/dev/null 2>&1 || exit 0
mesa unmount >/dev/null 2>&1 && exit 0
pkill -TERM -x mesa >/dev/null 2>&1
tries=0
while grep -qs " $root" /proc/self/mounts; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { fusermount3 -uz "$root" 2>/dev/null || umount -l "$root" 2>/dev/null; break; }
  sleep 0.1
done
! grep -qs " $root" /proc/self/mounts
"""
"""No ``mesa unmount`` is attested for the real CLI: then its daemon is told to end, which unmounts."""

HASH = r"""printf '%s\n' $#
oid() { { printf 'blob %s\000' $(($(wc -c < "$1"))); cat "$1"; } | sha1sum; }
each() { for one; do [ -r "$one" ] && oid "$one" || echo -; done; }
links() {
  for one; do
    to=$(readlink -n "$one"; echo /)
    printf 'blob %s\000%s' $(($(printf %s "${to%/}" | wc -c))) "${to%/}" | sha1sum
  done
}
if [ -L "$1" ]; then links "$@"; else git hash-object --no-filters -- "$@" || each "$@"; fi 2>/dev/null | cut -c 1-40
printf '%s//\n' "$@"
"""
"""argv: files, or symlinks. Prints how many, for each one the oid that git has for its content, and their paths.

Where git fails amid them, what it told before it did comes first.
"""

HELD = r"""cd "$1" 2>/dev/null || exit 77
[ -L "$1" ] || { both=$(stat -c %d . "$HOME"); [ "${both%%[!0-9]*}" != "${both##*[!0-9]}" ]; } || exit 77
stamp=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/jobs/$2.mounted most=$3 hash=$4
set -- -newer "$stamp" -o -cnewer "$stamp"
if found=$(find . -name .git -prune -o \( "$@" \) -print 2>/dev/null); then
  [ -n "$found" ] || exit 0
else
  set -- -newer "$stamp" -o -cmin "-$((($(date +%s) - $(stat -c %Z "$stamp" || echo 0)) / 60 + 2))"
  find . -prune \( "$@" \) >/dev/null 2>&1 || set -- ! -type d
fi
export most
all() { find . -name .git -prune -o "$@" 2>/dev/null; }
few='[ $# -gt "$most" ] || {
'"$hash"'}'
all ! -type d \( "$@" \) -exec stat -c '1 %f %s %n//' {} +
all ! -type d ! \( "$@" \) -exec stat -c '0 %f %s %n//' {} +
printf '\000'
all -type f -size -65536 \( "$@" \) -exec sh -c "$few" mesabox {} +
all -type l \( "$@" \) -exec sh -c "$few" mesabox {} +
printf '\000'
all -name .gitignore -type f -exec awk '{ print FILENAME "//" $0 }' {} +
printf '\000'
cat /dev/shm/mesabox-config/mesa/.mesaignore 2>/dev/null || cat "$HOME/.config/mesa/.mesaignore" 2>/dev/null
exit 0
"""
"""argv: mount folder, run, how many files at once are hashed here, HASH. Exit 77 when it is no mount (any more).

Prints nothing when nothing is newer than the run's mount, folders included, which lose a file or get one. Else four
parts with a NUL between: ``<1 if newer, else 0> <mode> <bytes> ./path//`` of all that is there; what HASH says of the
newer ones; ``./path//<line>`` of each .gitignore; the list that the user has of what Mesa ignores anyway. A path may
hold any byte, but never two slashes. busybox's find knows no ``-cnewer``: there what is as old as two minutes before
the mount is newer, and before 1.35, or without a stamp, everything.
"""

_LISTED = """cd "$1" || exit 77
list=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/list.$$
mkdir -p "${list%/*}" && cat > "$list" && exec < "$list" || exit 78
size=$(($(wc -c < "$list")))
rm -f "$list"
[ "$size" = "$2" ] || exit 64
"""
"""argv: mount folder, bytes; stdin: so many bytes, paths in it, a NUL behind each. Exit 64 when not all of it
arrived.
"""

HASHES = f"""{_LISTED}
exec xargs -0 sh -c "$3" mesabox
"""
"""argv and stdin: as _LISTED has them, files or symlinks alone; then HASH."""

UNPACK = """set -u
cd "$1" || exit 77
tar -x -m -o -f - || exit 78
stamp=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/jobs/$2.mounted
[ ! -e "$stamp" ] || : > "$stamp"
"""
"""argv: mount folder, run; stdin: a tar. Exit 77 no such folder, 78 tar failed. The run's stamp is renewed, so that
HELD finds only what is written later.
"""

REMOVE = f"""{_LISTED}
exec xargs -0 rm -rf --
"""
"""argv and stdin: as _LISTED has them."""

REMOVE_EMPTY = f"""{_LISTED}
xargs -0 rmdir -- 2>/dev/null
exit 0
"""
"""argv and stdin: as _LISTED has them, folders; one that has something left in it stays."""

IN_MOUNT = """here=$HOME/.local/share/mesa/mnt/$0
repo=$1; shift
cd "$here" 2>/dev/null && {
  [ -L "$HOME/.local/share/mesa/mnt/$repo" ] || [ "$(stat -c %d . 2>/dev/null)" != "$(stat -c %d "$HOME")" ]
} || {
  printf 'mesabox: %s is not mounted in this sprite\\n  fix: mesabox mount SPRITE --repo %s\\n' "$0" "${repo#*/}" >&2
  exit 125
}
exec "$@"
"""
"""argv[0]: the folder to start in, below the mounts; $1: ``org/repo``; the rest is the command.

A folder that is left where a mount was is no mount: what is written there would be saved nowhere.
"""

LIMITED = """fraction=$1 whole=$2; shift 2
command -v setsid >/dev/null 2>&1 || setsid() { "$@"; }
(setsid sh -c '
  sleep "$1"
  while [ "$2" -gt 0 ]; do
    [ -d "/proc/$0" ] || exit
    sleep 1
    set -- "$1" "$(($2 - 1))"
  done
  for name in TERM KILL; do
    kill -s "$name" -- "-$0" 2>/dev/null || kill -s "$name" "$0"
    sleep 2
  done
' "$$" "$fraction" "$whole" </dev/null >/dev/null 2>&1 &)
exec "$@"
"""
"""argv: the fraction of the limit, in seconds; the whole seconds; the rest is the command, which this becomes.

timeout(1) would do but for signals: it takes those of its group as its own, and ends a command that handles them.
"""

TAKE_SECRETS = """set -uC
umask 077
[ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ] || exit 76
find /dev/shm -maxdepth 1 -name '.mesabox-secret-*' -user "$(id -u)" -mmin +10 -exec rm -f -- {} + 2>/dev/null
cat > "$1.$$"
[ "$(tail -n 1 "$1.$$")" = '# whole' ] || { rm -f "$1.$$"; exit 64; }
mv -f "$1.$$" "$1"
"""
"""argv: the file to make, 0600; its content is stdin, whose last line is WHOLE. Exit 76 without a tmpfs, 64 when not
all of it arrived. What a kill left there goes as well.
"""

WITH_SECRETS = """[ -r "$0" ] || { printf 'mesabox: the secrets are not there any more\\n' >&2; exit 125; }
. "$0"
exec "$@"
"""
"""argv[0]: the file that TAKE_SECRETS made, whose first line removes it; the rest is the command."""


def sh(script: str, *arguments: str) -> list[str]:
    """The argv that runs ``script`` with ``$1``, ``$2``, ..."""
    return ["sh", "-c", script, "mesabox", *arguments]
