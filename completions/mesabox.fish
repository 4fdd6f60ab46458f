# mesabox completion for fish, written by `mesabox completion fish`.
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
            case '/auth' '/auth/login' '/auth/logout' '/auth/status' '/completion' '/config' '/config/init' '/config/path' '/config/show' '/doctor' '/down' '/engine' '/engine/env' '/engine/logs' '/engine/reset' '/engine/start' '/engine/status' '/engine/stop' '/gc' '/go' '/help' '/key' '/key/list' '/key/mint' '/key/revoke' '/mount' '/repo' '/repo/cat' '/repo/create' '/repo/delete' '/repo/diff' '/repo/list' '/repo/log' '/repo/show' '/run' '/runs' '/runs/apply' '/runs/attach' '/runs/diff' '/runs/export' '/runs/list' '/runs/logs' '/runs/rerun' '/runs/show' '/sh' '/sprite' '/sprite/checkpoint' '/sprite/checkpoint/create' '/sprite/checkpoint/list' '/sprite/checkpoint/restore' '/sprite/destroy' '/sprite/list' '/sprite/show' '/sprite/up' '/unmount' '/version'
                set place "$place/$word"
        end
    end
    switch "$place $typed[-1]"
            case ' --engine'
                printf '%s\n' auto local cloud
            case '/auth/login --engine'
                printf '%s\n' auto local cloud
            case '/auth/logout --engine'
                printf '%s\n' auto local cloud
            case '/auth/status --engine'
                printf '%s\n' auto local cloud
            case '/completion --engine'
                printf '%s\n' auto local cloud
            case '/config/init --engine'
                printf '%s\n' auto local cloud
            case '/config/path --engine'
                printf '%s\n' auto local cloud
            case '/config/show --engine'
                printf '%s\n' auto local cloud
            case '/doctor --engine'
                printf '%s\n' auto local cloud
            case '/down --engine'
                printf '%s\n' auto local cloud
            case '/engine/env --engine'
                printf '%s\n' auto local cloud
            case '/engine/logs --engine'
                printf '%s\n' auto local cloud
            case '/engine/reset --engine'
                printf '%s\n' auto local cloud
            case '/engine/start --isolation'
                printf '%s\n' auto none
            case '/engine/start --engine'
                printf '%s\n' auto local cloud
            case '/engine/status --engine'
                printf '%s\n' auto local cloud
            case '/engine/stop --engine'
                printf '%s\n' auto local cloud
            case '/gc --engine'
                printf '%s\n' auto local cloud
            case '/go --keep'
                printf '%s\n' never on-failure always
            case '/go --isolation'
                printf '%s\n' auto none
            case '/go --engine'
                printf '%s\n' auto local cloud
            case '/help --engine'
                printf '%s\n' auto local cloud
            case '/key/list --engine'
                printf '%s\n' auto local cloud
            case '/key/mint --scope'
                printf '%s\n' read write admin
            case '/key/mint --engine'
                printf '%s\n' auto local cloud
            case '/key/revoke --engine'
                printf '%s\n' auto local cloud
            case '/mount --engine'
                printf '%s\n' auto local cloud
            case '/repo/cat --engine'
                printf '%s\n' auto local cloud
            case '/repo/create --engine'
                printf '%s\n' auto local cloud
            case '/repo/delete --engine'
                printf '%s\n' auto local cloud
            case '/repo/diff --engine'
                printf '%s\n' auto local cloud
            case '/repo/list --engine'
                printf '%s\n' auto local cloud
            case '/repo/log --engine'
                printf '%s\n' auto local cloud
            case '/repo/show --engine'
                printf '%s\n' auto local cloud
            case '/run --engine'
                printf '%s\n' auto local cloud
            case '/runs/apply --engine'
                printf '%s\n' auto local cloud
            case '/runs/attach --engine'
                printf '%s\n' auto local cloud
            case '/runs/diff --engine'
                printf '%s\n' auto local cloud
            case '/runs/export --engine'
                printf '%s\n' auto local cloud
            case '/runs/list --engine'
                printf '%s\n' auto local cloud
            case '/runs/logs --stream'
                printf '%s\n' both stdout stderr
            case '/runs/logs --engine'
                printf '%s\n' auto local cloud
            case '/runs/rerun --engine'
                printf '%s\n' auto local cloud
            case '/runs/show --engine'
                printf '%s\n' auto local cloud
            case '/sh --engine'
                printf '%s\n' auto local cloud
            case '/sprite/checkpoint/create --engine'
                printf '%s\n' auto local cloud
            case '/sprite/checkpoint/list --engine'
                printf '%s\n' auto local cloud
            case '/sprite/checkpoint/restore --engine'
                printf '%s\n' auto local cloud
            case '/sprite/destroy --engine'
                printf '%s\n' auto local cloud
            case '/sprite/list --engine'
                printf '%s\n' auto local cloud
            case '/sprite/show --engine'
                printf '%s\n' auto local cloud
            case '/sprite/up --engine'
                printf '%s\n' auto local cloud
            case '/unmount --engine'
                printf '%s\n' auto local cloud
            case '/version --engine'
                printf '%s\n' auto local cloud
            case '/go --repo'
                __mesabox_names repos
            case '/go --sprite'
                __mesabox_names sprites
            case '/key/mint --repo'
                __mesabox_names repos
            case '/mount --repo'
                __mesabox_names repos
            case '/run --repo'
                __mesabox_names repos
        case '*'
            switch "$place"
            case ''
                printf '%s\n' auth completion config doctor down engine gc go help key mount repo run runs sh sprite unmount version --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/auth'
                printf '%s\n' login logout status --help
            case '/auth/login'
                printf '%s\n' mesa sprites --debug --engine --help --json --no-color --no-input --quiet --verbose --with-token
            case '/auth/logout'
                printf '%s\n' mesa sprites --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/auth/status'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/completion'
                printf '%s\n' bash zsh fish powershell --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/config'
                printf '%s\n' init path show --help
            case '/config/init'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/config/path'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/config/show'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --origin --quiet --verbose
            case '/doctor'
                printf '%s\n' --bundle --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/down'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --repos --verbose --yes
            case '/engine'
                printf '%s\n' env logs reset start status stop --help
            case '/engine/env'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/engine/logs'
                printf '%s\n' --debug --engine --follow --help --json --lines --no-color --no-input --quiet --verbose
            case '/engine/reset'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose --yes
            case '/engine/start'
                printf '%s\n' --debug --engine --fault --fault-seed --help --isolation --json --no-color --no-input --quiet --verbose
            case '/engine/status'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/engine/stop'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/gc'
                printf '%s\n' --debug --dry-run --engine --help --json --no-color --no-input --quiet --verbose
            case '/go'
                printf '%s\n' --apply --bookmark --debug --detach --dry-run --engine --env --env-file --events --from --help --isolation --json --keep --ndjson --no-color --no-input --no-tty --quiet --repo --resume --secret --sprite --timeout --tty --verbose --workdir
            case '/help'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/key'
                printf '%s\n' list mint revoke --help
            case '/key/list'
                printf '%s\n' --all --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/key/mint'
                printf '%s\n' --debug --engine --help --json --name --no-color --no-input --quiet --repo --scope --ttl --verbose
            case '/key/revoke'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/mount'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --key-file --no-color --no-input --quiet --read-only --repo --ttl --verbose
            case '/repo'
                printf '%s\n' cat create delete diff list log show --help
            case '/repo/cat'
                __mesabox_names repos
                printf '%s\n' --at --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/repo/create'
                __mesabox_names repos
                printf '%s\n' --bookmark --debug --engine --help --if-not-exists --json --no-color --no-input --quiet --verbose
            case '/repo/delete'
                __mesabox_names repos
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose --yes
            case '/repo/diff'
                __mesabox_names repos
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --stat --verbose
            case '/repo/list'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/repo/log'
                __mesabox_names repos
                printf '%s\n' --bookmark --debug --engine --help --json --limit --no-color --no-input --quiet --verbose
            case '/repo/show'
                __mesabox_names repos
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/run'
                __mesabox_names sprites
                printf '%s\n' --debug --detach --engine --env --env-file --events --help --json --ndjson --no-color --no-input --no-tty --quiet --repo --secret --timeout --tty --verbose --workdir
            case '/runs'
                printf '%s\n' apply attach diff export list logs rerun show --help
            case '/runs/apply'
                printf '%s\n' --debug --dry-run --engine --force --help --json --no-color --no-input --quiet --verbose
            case '/runs/attach'
                printf '%s\n' --after --debug --engine --help --json --no-color --no-input --quiet --secret --verbose
            case '/runs/diff'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --stat --verbose
            case '/runs/export'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --output --quiet --verbose
            case '/runs/list'
                printf '%s\n' --debug --engine --help --json --limit --no-color --no-input --quiet --verbose
            case '/runs/logs'
                printf '%s\n' --after --debug --engine --follow --help --json --ndjson --no-color --no-input --quiet --since --stream --verbose
            case '/runs/rerun'
                printf '%s\n' --debug --detach --engine --events --help --json --ndjson --no-color --no-input --no-tty --quiet --secret --tty --verbose
            case '/runs/show'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sh'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --env --env-file --help --json --no-color --no-input --no-tty --quiet --secret --tty --verbose --workdir
            case '/sprite'
                printf '%s\n' checkpoint destroy list show up --help
            case '/sprite/checkpoint'
                printf '%s\n' create list restore --help
            case '/sprite/checkpoint/create'
                __mesabox_names sprites
                printf '%s\n' --comment --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sprite/checkpoint/list'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sprite/checkpoint/restore'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sprite/destroy'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sprite/list'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --prefix --quiet --verbose
            case '/sprite/show'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/sprite/up'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/unmount'
                __mesabox_names sprites
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            case '/version'
                printf '%s\n' --debug --engine --help --json --no-color --no-input --quiet --verbose
            end
    end
end

complete -c mesabox -a '(__mesabox_words)'
