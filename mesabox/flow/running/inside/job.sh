# A command that outlives its connection. It is started once; its output is kept in files and can be followed from any
# byte by any number of connections; its input is taken in acknowledged pieces; its limit is kept here.
#
#   job.sh start  PLACE MARK OUT ERR STDIN LIMIT DIR CMD...   start it, unless that was done, and follow it
#   job.sh follow PLACE MARK OUT ERR STDIN                    its output from byte OUT and ERR on, to its end
#   job.sh tty    PLACE LIMIT DIR CMD...                      on this terminal, which keeps no output
#   job.sh signal PLACE NAME                                  to its process group
#   job.sh ended  PLACE                                       `end ...` as below, `lost`, `absent` or `running`
#   job.sh forget PLACE                                       remove what is kept of it
#
# PLACE is below ~/.local/state/mesabox/jobs (or $XDG_STATE_HOME). STDIN is yes or no; LIMIT is seconds or none; DIR may
# be empty. What we ourselves tell goes to stderr as lines that begin with MARK: `begun`, `fed BYTES`, `fed end`,
# `end CODE OUT ERR exited|timeout|torn`, `lost` (it died without a word: the sprite was restarted), `absent`.
#
# In PLACE: out, err; end (that line, written last); runner, pid (the command's, its process group), holder, feeder
# (process groups); 0, 1, 2 (pipes); fed (bytes of input that reached the command); late (its limit has passed);
# copying1, copying2 (until that is done), whole (until some of its output could not be kept).

set -u
self=$0 verb=$1
place=${XDG_STATE_HOME:-$HOME/.local/state}/mesabox/jobs/$2
shift 2
claimed=$place.claimed
[ -n "${MESABOX_DOOR:-}" ] || claimed=/tmp/.mesabox-${place##*/} # without isolation /tmp is the machine's
command -v setsid >/dev/null 2>&1 || setsid() { "$@"; }

nap() { sleep "$1" 2>/dev/null || sleep 1; }
tell() { printf '%s%s\n' "$mark" "$*" >&2; }
kept() { cat "$place/$1" 2>/dev/null; }
size() { echo $(($(wc -c <"$place/$1"))); }
end_session() { # every process of it, in whichever group; those of root by sudo
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    # shellcheck disable=SC2086
    set -- "$1" ${line##*) }
    [ "$5" != "$1" ] || { stat=${stat%/stat}; kill -s KILL "${stat##*/}" 2>/dev/null || sudo -n kill -s KILL "${stat##*/}" 2>/dev/null; }
  done
}

end_group() { [ -z "${1:-}" ] || kill -s KILL -- "-$1" 2>/dev/null; }
there() { [ -e "$place/$1" ]; }

await() { # FILE LOOKS: until something is written in it
  looks=0
  until [ -s "$place/$1" ]; do
    looks=$((looks + 1))
    [ "$looks" -lt "$2" ] || return 1
    nap 0.004
  done
}

send() {
  ! there end || return 0
  group=$(kept pid)
  [ -n "$group" ] || return 1
  kill -s "$1" -- "-$group" 2>/dev/null || kill -s "$1" "$group" 2>/dev/null ||
    sudo -n kill -s "$1" -- "-$group" 2>/dev/null
}

limit() { # SECONDS; in a group of its own, so that it is ended together with its sleep
  sleep "$1"
  : >"$place/late"
  send TERM
  sleep 2
  send KILL
}

claim() { # INPUT; only one who starts it can make the folders; the second outlives a command that empties its home
  mkdir -m 700 "$place" 2>/dev/null && mkdir -m 700 "$claimed" 2>/dev/null || return 1
  mkfifo "$place/1" "$place/2"
  [ "$1" = no ] || mkfifo "$place/0"
  : >"$place/out"
  : >"$place/err"
  : >"$place/copying1"
  : >"$place/copying2"
  : >"$place/whole"
  printf '%s\n%60s\n' '' '' >"$place/end.new" # room for it, also when the disk is full by then
  echo $$ >"$place/runner"
}

on_path() { # a file: neither a word of the shell nor a function of ours
  (
    set -f
    IFS=:
    for dir in $PATH; do [ ! -x "${dir:-.}/$1" ] || [ -d "${dir:-.}/$1" ] || exit 0; done
    exit 1
  )
}

become() { # DIR CMD...
  echo $$ >"$place/pid"
  [ -z "$1" ] || cd -- "$1" 2>/dev/null || refuse 126 "$1: it cannot be entered"
  shift
  case $1 in
  */*)
    [ -e "$1" ] || refuse 127 "$1: no such file"
    [ -x "$1" ] && [ ! -d "$1" ] || refuse 126 "$1: it cannot be executed"
    ;;
  *) on_path "$1" || refuse 127 "$1: command not found" ;;
  esac
  exec "$@"
}

refuse() { # CODE WORDS
  echo "mesabox: $2" >&2
  exit "$1"
}

watch_limit() {
  watch=
  if [ "$1" != none ]; then
    setsid sh "$self" limit "${place##*/}" "$1" </dev/null >/dev/null 2>&1 &
    watch=$!
  fi
}

asleep() { # whether one who copies waits for more
  read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" || return 0
  [ "$state" = S ]
}

copy() { # PIPE FILE; what cannot be kept (a full disk) makes the whole less than whole
  { cat >>"$place/$2" || { rm -f "$place/whole"; cat >/dev/null; }; } <"$place/$1"
  rm -f "$place/copying$1"
}

drain() { # all that the command wrote; a daemon of it may hold its pipes open, and is not waited for
  looks=0 before=
  while there copying1 || there copying2; do
    looks=$((looks + 1))
    if [ "$looks" -gt 30 ] && [ $((looks % 15)) = 0 ]; then
      now="$(size out) $(size err)"
      [ "$now" = "$before" ] && asleep "$copies1" && asleep "$copies2" && return
      [ "$looks" -lt 400 ] || return
      before=$now
    fi
    nap 0.003
  done
}

finish() { # CODE
  how=exited
  if there late; then how=timeout; end_session "$(kept pid)"; fi
  there whole || how=torn
  printf '%s\n' "$1 $(size out) $(size err) $how" 1<>"$place/end.new"
  mv "$place/end.new" "$place/end"
}

run() { # STDIN LIMIT DIR CMD...; the runner: nothing of it hangs on the connection that started it
  claim "$1" || exit 0
  shift
  source=/dev/null
  if there 0; then
    source=$place/0
    setsid sleep 999999999 >"$place/0" & # until the end of the input is told, however many feeders come and go
    echo $! >"$place/holder"
  fi
  { copy 1 out; } 2>/dev/null &
  copies1=$!
  { copy 2 err; } 2>/dev/null &
  copies2=$!
  watch_limit "$1"
  shift
  # In the foreground: a shell without job control has its background ignore SIGINT. In a subshell: what this one may
  # say of a signal that ended it is not the command's output.
  (exec setsid sh "$self" become "${place##*/}" "$@" <"$source" >"$place/1" 2>"$place/2")
  code=$?
  drain
  finish "$code"
  end_group "$watch"
  end_group "$(kept holder)"
  end_group "$(kept feeder)"
  rm -f "$place/0" "$place/1" "$place/2"
}

lock() {
  until mkdir "$place/feeding" 2>/dev/null; do
    ! there end || exit 0
    nap 0.02
  done
}

feed() { # frames on stdin: "BYTES\n" and so many bytes; "0\n" is the end of the input
  lock # one who feeds is never ended within a piece
  end_group "$(kept feeder)"
  echo $$ >"$place/feeder"
  rmdir "$place/feeding"
  fed=$(kept fed)
  fed=${fed:-0}
  tell fed "$fed"
  [ "$fed" != end ] || return
  exec 7>"$place/0"
  while IFS= read -r bytes && [ "$bytes" -gt 0 ]; do
    dd bs="$bytes" count=1 iflag=fullblock 2>/dev/null >"$place/piece.$$"
    [ "$(size "piece.$$")" = "$bytes" ] || return
    lock
    cat "$place/piece.$$" 2>/dev/null >&7
    fed=$((fed + bytes))
    echo "$fed" >"$place/fed"
    rmdir "$place/feeding"
    tell fed "$fed"
  done
  [ "${bytes:-}" = 0 ] || return
  echo end >"$place/fed"
  end_group "$(kept holder)"
  tell fed end
}

news() { # whether something was written since we looked: never no when it was, whatever the clock's grain
  ! [ "$seen" -nt "$place/out" ] || ! [ "$seen" -nt "$place/err" ]
}

pause() { # short at first; a silent command is looked at ten times a second
  ticks=$((ticks + 1))
  if [ "$ticks" -lt 20 ]; then nap 0.004; elif [ "$ticks" -lt 60 ]; then nap 0.03; else nap 0.1; fi
}

alive() {
  runner=$(kept runner)
  [ -n "$runner" ] && grep -qs "${place##*/}" "/proc/$runner/cmdline"
}

follow() { # OUT ERR STDIN, which is on 6
  if ! await runner 800; then
    [ ! -d "$claimed" ] || { tell begun; tell lost; exit 77; }
    tell absent
    exit 79
  fi
  tell begun
  alive || there end || { tell lost; exit 77; }
  [ "$3" = no ] || there end || (setsid sh "$self" feed "${place##*/}" "$mark" <&6 &)
  exec 3<"$place/out" 4<"$place/err"
  [ "$1" = 0 ] || dd bs=1 skip="$1" count=0 <&3 2>/dev/null
  [ "$2" = 0 ] || dd bs=1 skip="$2" count=0 <&4 2>/dev/null
  ticks=0 seen=$place/seen.$$
  while :; do
    ended=
    there end && ended=yes
    [ -d "$place" ] || { tell lost; exit 77; }
    if [ -n "$ended" ] || news; then
      true 2>/dev/null >"$seen"
      cat <&3
      cat <&4 >&2
    fi
    [ -z "$ended" ] || break
    [ -d "/proc/$runner" ] || there end || { tell lost; exit 77; }
    pause
  done
  rm -f "$seen"
  end_group "$(kept feeder)"
  read -r code rest <"$place/end"
  tell end "$code $rest"
  exit "$code"
}

start() { # MARK OUT ERR STDIN LIMIT DIR CMD...
  mark=$1 out=$2 err=$3 stdin=$4
  shift 4
  mkdir -p "${place%/*}" || exit 78
  exec 6<&0
  # A pipeline, not the background, for the same reason as in `run`.
  setsid sh "$self" run "${place##*/}" "$stdin" "$@" </dev/null >/dev/null 2>&1 6<&- | follow "$out" "$err" "$stdin"
}

tty() { # LIMIT DIR CMD...
  mkdir -p "${place%/*}" && claim no || { echo 'mesabox: this command was started already' >&2; exit 78; }
  watch_limit "$1"
  shift
  trap : INT QUIT HUP TERM
  (exec sh "$self" become "${place##*/}" "$@")
  code=$?
  finish "$code"
  end_group "$watch"
  exit "$code"
}

ended() {
  if there end; then read -r line <"$place/end" && echo "end $line"
  elif ! await runner 2; then echo absent
  elif alive; then echo running
  else echo lost
  fi
}

case $verb in
follow) mark=$1; shift; exec 6<&0; follow "$@" ;;
feed) mark=$1; feed ;;
signal) await pid 500; send "$1" ;;
forget) rm -rf "$place" "$place.mounted" "$claimed" ;;
start | run | limit | become | tty | ended) "$verb" "$@" ;;
esac
# whole
