"""The completion scripts: words from a table in the script, names from a cache file; Python is not started."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from mesabox.cli._vocabulary import Place

_HEAD = "# mesabox completion for {shell}, written by `mesabox completion {shell}`.\n"

_POSIX_NAMES = """\
_mesabox_names() {
    local folder="${MESABOX_HOME:+$MESABOX_HOME/cache}"
    folder="${folder:-${XDG_CACHE_HOME:-$HOME/.cache}/mesabox}"
    [ -r "$folder/names/$1" ] && cat "$folder/names/$1"
}
"""

_BASH = """\
_mesabox() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" path="" words="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [ "${COMP_WORDS[i]}" = -- ] && return
        case "$path/${COMP_WORDS[i]}" in
            %(paths)s) path="$path/${COMP_WORDS[i]}" ;;
        esac
    done
    case "$path $prev" in
%(values)s
        *) case "$path" in
%(words)s
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _mesabox mesabox
"""

_ZSH = """\
_mesabox() {
    local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}" place="" offered="" i
    for ((i = 2; i < CURRENT; i++)); do
        [ "${words[i]}" = -- ] && { _files; return; }
        case "$place/${words[i]}" in
            %(paths)s) place="$place/${words[i]}" ;;
        esac
    done
    case "$place $prev" in
%(values)s
        *) case "$place" in
%(words)s
        esac ;;
    esac
    if [ -n "$offered" ]; then compadd -- ${(z)offered//$'\\n'/ }; else _files; fi
}
if [ "$funcstack[1]" = _mesabox ]; then _mesabox "$@"; else compdef _mesabox mesabox; fi
"""

_FISH = """\
function __mesabox_names
    set -l folder $HOME/.cache/mesabox
    set -q XDG_CACHE_HOME; and set folder $XDG_CACHE_HOME/mesabox
    set -q MESABOX_HOME; and set folder $MESABOX_HOME/cache
    test -r $folder/names/$argv[1]; and cat $folder/names/$argv[1]
end

function __mesabox_words
    set -l typed (commandline -opc)
    set -l place ""
    for word in $typed[2..]
        test "$word" = --; and return
        switch "$place/$word"
            case %(paths)s
                set place "$place/$word"
        end
    end
    switch "$place $typed[-1]"
%(values)s
        case '*'
            switch "$place"
%(words)s
            end
    end
end

complete -c mesabox -a '(__mesabox_words)'
"""

_POWERSHELL = """\
function script:MesaboxNames($noun) {
    $folder = if ($env:MESABOX_HOME) { "$env:MESABOX_HOME/cache" }
        elseif ($env:XDG_CACHE_HOME) { "$env:XDG_CACHE_HOME/mesabox" } else { "$HOME/.cache/mesabox" }
    if (Test-Path "$folder/names/$noun") { Get-Content "$folder/names/$noun" }
}
Register-ArgumentCompleter -Native -CommandName mesabox -ScriptBlock {
    param($cur, $line, $position)
    $typed = @($line.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { "$_" })
    $place = ''
    foreach ($word in $typed | Select-Object -Skip 1) {
        if ($word -ceq '--') { return }
        if (@(%(paths)s) -ccontains "$place/$word") { $place = "$place/$word" }
    }
    $words = switch -CaseSensitive -Exact ("$place " + $typed[-1]) {
%(values)s
        default { switch -CaseSensitive -Exact ($place) {
%(words)s
        } }
    }
    $words | Where-Object { $_ -clike "$cur*" } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
"""


def bash(places: Sequence[Place]) -> str:
    return _filled(
        "bash", _POSIX_NAMES + _BASH, places, _posix_case("words", "_mesabox_names"), _alternatives("|", '"')
    )


def zsh(places: Sequence[Place]) -> str:
    body = _filled(
        "zsh", _POSIX_NAMES + _ZSH, places, _posix_case("offered", "_mesabox_names"), _alternatives("|", '"')
    )
    return "#compdef mesabox\n" + body


def fish(places: Sequence[Place]) -> str:
    return _filled("fish", _FISH, places, _fish_case, _alternatives(" ", "'"))


def powershell(places: Sequence[Place]) -> str:
    return _filled("powershell", _POWERSHELL, places, _powershell_case, _alternatives(", ", "'"))


SHELLS: Mapping[str, Callable[[Sequence[Place]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
    "powershell": powershell,
}

FILES: Mapping[str, str] = {
    "bash": "mesabox.bash",
    "zsh": "_mesabox",
    "fish": "mesabox.fish",
    "powershell": "mesabox.ps1",
}
"""What each is called in ``completions/``."""

Case = Callable[[str, Iterable[str], str], str]
"""(what is matched, static words, noun or empty) -> one branch."""


def _filled(shell: str, template: str, places: Sequence[Place], case: Case, joined: Callable[[list[str]], str]) -> str:
    return _HEAD.format(shell=shell) + template % {
        "paths": joined([place.path for place in places if place.path]),
        "values": "\n".join(_value_cases(places, case)),
        "words": "\n".join(case(place.path, (*place.words, *place.options), place.noun) for place in places),
    }


def _value_cases(places: Sequence[Place], case: Case) -> list[str]:
    chosen = [case(f"{p.path} {option}", words, "") for p in places for option, words in p.choices.items()]
    named = [case(f"{p.path} {option}", (), noun) for p in places for option, noun in p.nouns.items()]
    return chosen + named


def _alternatives(between: str, quote: str) -> Callable[[list[str]], str]:
    return lambda paths: between.join(f"{quote}{path}{quote}" for path in paths)


def _posix_case(variable: str, names: str) -> Case:
    def case(matched: str, words: Iterable[str], noun: str) -> str:
        live = f"$({names} {noun})" if noun else ""
        return f'            "{matched}") {variable}="{" ".join(filter(None, (live, *words)))}" ;;'

    return case


def _fish_case(matched: str, words: Iterable[str], noun: str) -> str:
    lines = [f"            case '{matched}'"]
    if noun:
        lines.append(f"                __mesabox_names {noun}")
    if said := " ".join(words):
        lines.append(f"                printf '%s\\n' {said}")
    return "\n".join(lines)


def _powershell_case(matched: str, words: Iterable[str], noun: str) -> str:
    live = [f"(MesaboxNames {noun})"] if noun else []
    return f"            '{matched}' {{ {'; '.join([*live, *(repr(word) for word in words)])} }}"
