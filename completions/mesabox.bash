# mesabox completion for bash, written by `mesabox completion bash`.
_mesabox_names() {
    local folder="${MESABOX_HOME:+$MESABOX_HOME/cache}"
    folder="${folder:-${XDG_CACHE_HOME:-$HOME/.cache}/mesabox}"
    [ -r "$folder/names/$1" ] && cat "$folder/names/$1"
}
_mesabox() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" path="" words="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [ "${COMP_WORDS[i]}" = -- ] && return
        case "$path/${COMP_WORDS[i]}" in
            "/auth"|"/auth/login"|"/auth/logout"|"/auth/status"|"/completion"|"/config"|"/config/init"|"/config/path"|"/config/show"|"/doctor"|"/down"|"/engine"|"/engine/env"|"/engine/logs"|"/engine/reset"|"/engine/start"|"/engine/status"|"/engine/stop"|"/gc"|"/go"|"/help"|"/key"|"/key/list"|"/key/mint"|"/key/revoke"|"/mount"|"/repo"|"/repo/cat"|"/repo/create"|"/repo/delete"|"/repo/diff"|"/repo/list"|"/repo/log"|"/repo/show"|"/run"|"/runs"|"/runs/apply"|"/runs/attach"|"/runs/diff"|"/runs/export"|"/runs/list"|"/runs/logs"|"/runs/rerun"|"/runs/show"|"/sh"|"/sprite"|"/sprite/checkpoint"|"/sprite/checkpoint/create"|"/sprite/checkpoint/list"|"/sprite/checkpoint/restore"|"/sprite/destroy"|"/sprite/list"|"/sprite/show"|"/sprite/up"|"/unmount"|"/version") path="$path/${COMP_WORDS[i]}" ;;
        esac
    done
    case "$path $prev" in
            " --engine") words="auto local cloud" ;;
            "/auth/login --engine") words="auto local cloud" ;;
            "/auth/logout --engine") words="auto local cloud" ;;
            "/auth/status --engine") words="auto local cloud" ;;
            "/completion --engine") words="auto local cloud" ;;
            "/config/init --engine") words="auto local cloud" ;;
            "/config/path --engine") words="auto local cloud" ;;
            "/config/show --engine") words="auto local cloud" ;;
            "/doctor --engine") words="auto local cloud" ;;
            "/down --engine") words="auto local cloud" ;;
            "/engine/env --engine") words="auto local cloud" ;;
            "/engine/logs --engine") words="auto local cloud" ;;
            "/engine/reset --engine") words="auto local cloud" ;;
            "/engine/start --isolation") words="auto none" ;;
            "/engine/start --engine") words="auto local cloud" ;;
            "/engine/status --engine") words="auto local cloud" ;;
            "/engine/stop --engine") words="auto local cloud" ;;
            "/gc --engine") words="auto local cloud" ;;
            "/go --keep") words="never on-failure always" ;;
            "/go --isolation") words="auto none" ;;
            "/go --engine") words="auto local cloud" ;;
            "/help --engine") words="auto local cloud" ;;
            "/key/list --engine") words="auto local cloud" ;;
            "/key/mint --scope") words="read write admin" ;;
            "/key/mint --engine") words="auto local cloud" ;;
            "/key/revoke --engine") words="auto local cloud" ;;
            "/mount --engine") words="auto local cloud" ;;
            "/repo/cat --engine") words="auto local cloud" ;;
            "/repo/create --engine") words="auto local cloud" ;;
            "/repo/delete --engine") words="auto local cloud" ;;
            "/repo/diff --engine") words="auto local cloud" ;;
            "/repo/list --engine") words="auto local cloud" ;;
            "/repo/log --engine") words="auto local cloud" ;;
            "/repo/show --engine") words="auto local cloud" ;;
            "/run --engine") words="auto local cloud" ;;
            "/runs/apply --engine") words="auto local cloud" ;;
            "/runs/attach --engine") words="auto local cloud" ;;
            "/runs/diff --engine") words="auto local cloud" ;;
            "/runs/export --engine") words="auto local cloud" ;;
            "/runs/list --engine") words="auto local cloud" ;;
            "/runs/logs --stream") words="both stdout stderr" ;;
            "/runs/logs --engine") words="auto local cloud" ;;
            "/runs/rerun --engine") words="auto local cloud" ;;
            "/runs/show --engine") words="auto local cloud" ;;
            "/sh --engine") words="auto local cloud" ;;
            "/sprite/checkpoint/create --engine") words="auto local cloud" ;;
            "/sprite/checkpoint/list --engine") words="auto local cloud" ;;
            "/sprite/checkpoint/restore --engine") words="auto local cloud" ;;
            "/sprite/destroy --engine") words="auto local cloud" ;;
            "/sprite/list --engine") words="auto local cloud" ;;
            "/sprite/show --engine") words="auto local cloud" ;;
            "/sprite/up --engine") words="auto local cloud" ;;
            "/unmount --engine") words="auto local cloud" ;;
            "/version --engine") words="auto local cloud" ;;
            "/go --repo") words="$(_mesabox_names repos)" ;;
            "/go --sprite") words="$(_mesabox_names sprites)" ;;
            "/key/mint --repo") words="$(_mesabox_names repos)" ;;
            "/mount --repo") words="$(_mesabox_names repos)" ;;
            "/run --repo") words="$(_mesabox_names repos)" ;;
        *) case "$path" in
            "") words="auth completion config doctor down engine gc go help key mount repo run runs sh sprite unmount version --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/auth") words="login logout status --help" ;;
            "/auth/login") words="mesa sprites --debug --engine --help --json --no-color --no-input --quiet --verbose --with-token" ;;
            "/auth/logout") words="mesa sprites --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/auth/status") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/completion") words="bash zsh fish powershell --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/config") words="init path show --help" ;;
            "/config/init") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/config/path") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/config/show") words="--debug --engine --help --json --no-color --no-input --origin --quiet --verbose" ;;
            "/doctor") words="--bundle --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/down") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --repos --verbose --yes" ;;
            "/engine") words="env logs reset start status stop --help" ;;
            "/engine/env") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/engine/logs") words="--debug --engine --follow --help --json --lines --no-color --no-input --quiet --verbose" ;;
            "/engine/reset") words="--debug --engine --help --json --no-color --no-input --quiet --verbose --yes" ;;
            "/engine/start") words="--debug --engine --fault --fault-seed --help --isolation --json --no-color --no-input --quiet --verbose" ;;
            "/engine/status") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/engine/stop") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/gc") words="--debug --dry-run --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/go") words="--apply --bookmark --debug --detach --dry-run --engine --env --env-file --events --from --help --isolation --json --keep --ndjson --no-color --no-input --no-tty --quiet --repo --resume --secret --sprite --timeout --tty --verbose --workdir" ;;
            "/help") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/key") words="list mint revoke --help" ;;
            "/key/list") words="--all --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/key/mint") words="--debug --engine --help --json --name --no-color --no-input --quiet --repo --scope --ttl --verbose" ;;
            "/key/revoke") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/mount") words="$(_mesabox_names sprites) --debug --engine --help --json --key-file --no-color --no-input --quiet --read-only --repo --ttl --verbose" ;;
            "/repo") words="cat create delete diff list log show --help" ;;
            "/repo/cat") words="$(_mesabox_names repos) --at --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/repo/create") words="$(_mesabox_names repos) --bookmark --debug --engine --help --if-not-exists --json --no-color --no-input --quiet --verbose" ;;
            "/repo/delete") words="$(_mesabox_names repos) --debug --engine --help --json --no-color --no-input --quiet --verbose --yes" ;;
            "/repo/diff") words="$(_mesabox_names repos) --debug --engine --help --json --no-color --no-input --quiet --stat --verbose" ;;
            "/repo/list") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/repo/log") words="$(_mesabox_names repos) --bookmark --debug --engine --help --json --limit --no-color --no-input --quiet --verbose" ;;
            "/repo/show") words="$(_mesabox_names repos) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/run") words="$(_mesabox_names sprites) --debug --detach --engine --env --env-file --events --help --json --ndjson --no-color --no-input --no-tty --quiet --repo --secret --timeout --tty --verbose --workdir" ;;
            "/runs") words="apply attach diff export list logs rerun show --help" ;;
            "/runs/apply") words="--debug --dry-run --engine --force --help --json --no-color --no-input --quiet --verbose" ;;
            "/runs/attach") words="--after --debug --engine --help --json --no-color --no-input --quiet --secret --verbose" ;;
            "/runs/diff") words="--debug --engine --help --json --no-color --no-input --quiet --stat --verbose" ;;
            "/runs/export") words="--debug --engine --help --json --no-color --no-input --output --quiet --verbose" ;;
            "/runs/list") words="--debug --engine --help --json --limit --no-color --no-input --quiet --verbose" ;;
            "/runs/logs") words="--after --debug --engine --follow --help --json --ndjson --no-color --no-input --quiet --since --stream --verbose" ;;
            "/runs/rerun") words="--debug --detach --engine --events --help --json --ndjson --no-color --no-input --no-tty --quiet --secret --tty --verbose" ;;
            "/runs/show") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sh") words="$(_mesabox_names sprites) --debug --engine --env --env-file --help --json --no-color --no-input --no-tty --quiet --secret --tty --verbose --workdir" ;;
            "/sprite") words="checkpoint destroy list show up --help" ;;
            "/sprite/checkpoint") words="create list restore --help" ;;
            "/sprite/checkpoint/create") words="$(_mesabox_names sprites) --comment --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sprite/checkpoint/list") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sprite/checkpoint/restore") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sprite/destroy") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sprite/list") words="--debug --engine --help --json --no-color --no-input --prefix --quiet --verbose" ;;
            "/sprite/show") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/sprite/up") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/unmount") words="$(_mesabox_names sprites) --debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
            "/version") words="--debug --engine --help --json --no-color --no-input --quiet --verbose" ;;
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _mesabox mesabox
