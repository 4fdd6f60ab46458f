# mesabox completion for powershell, written by `mesabox completion powershell`.
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
        if (@('/auth', '/auth/login', '/auth/logout', '/auth/status', '/completion', '/config', '/config/init', '/config/path', '/config/show', '/doctor', '/down', '/engine', '/engine/env', '/engine/logs', '/engine/reset', '/engine/start', '/engine/status', '/engine/stop', '/gc', '/go', '/help', '/key', '/key/list', '/key/mint', '/key/revoke', '/mount', '/repo', '/repo/cat', '/repo/create', '/repo/delete', '/repo/diff', '/repo/list', '/repo/log', '/repo/show', '/run', '/runs', '/runs/apply', '/runs/attach', '/runs/diff', '/runs/export', '/runs/list', '/runs/logs', '/runs/rerun', '/runs/show', '/sh', '/sprite', '/sprite/checkpoint', '/sprite/checkpoint/create', '/sprite/checkpoint/list', '/sprite/checkpoint/restore', '/sprite/destroy', '/sprite/list', '/sprite/show', '/sprite/up', '/unmount', '/version') -ccontains "$place/$word") { $place = "$place/$word" }
    }
    $words = switch -CaseSensitive -Exact ("$place " + $typed[-1]) {
            ' --engine' { 'auto'; 'local'; 'cloud' }
            '/auth/login --engine' { 'auto'; 'local'; 'cloud' }
            '/auth/logout --engine' { 'auto'; 'local'; 'cloud' }
            '/auth/status --engine' { 'auto'; 'local'; 'cloud' }
            '/completion --engine' { 'auto'; 'local'; 'cloud' }
            '/config/init --engine' { 'auto'; 'local'; 'cloud' }
            '/config/path --engine' { 'auto'; 'local'; 'cloud' }
            '/config/show --engine' { 'auto'; 'local'; 'cloud' }
            '/doctor --engine' { 'auto'; 'local'; 'cloud' }
            '/down --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/env --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/logs --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/reset --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/start --isolation' { 'auto'; 'none' }
            '/engine/start --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/status --engine' { 'auto'; 'local'; 'cloud' }
            '/engine/stop --engine' { 'auto'; 'local'; 'cloud' }
            '/gc --engine' { 'auto'; 'local'; 'cloud' }
            '/go --keep' { 'never'; 'on-failure'; 'always' }
            '/go --isolation' { 'auto'; 'none' }
            '/go --engine' { 'auto'; 'local'; 'cloud' }
            '/help --engine' { 'auto'; 'local'; 'cloud' }
            '/key/list --engine' { 'auto'; 'local'; 'cloud' }
            '/key/mint --scope' { 'read'; 'write'; 'admin' }
            '/key/mint --engine' { 'auto'; 'local'; 'cloud' }
            '/key/revoke --engine' { 'auto'; 'local'; 'cloud' }
            '/mount --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/cat --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/create --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/delete --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/diff --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/list --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/log --engine' { 'auto'; 'local'; 'cloud' }
            '/repo/show --engine' { 'auto'; 'local'; 'cloud' }
            '/run --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/apply --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/attach --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/diff --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/export --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/list --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/logs --stream' { 'both'; 'stdout'; 'stderr' }
            '/runs/logs --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/rerun --engine' { 'auto'; 'local'; 'cloud' }
            '/runs/show --engine' { 'auto'; 'local'; 'cloud' }
            '/sh --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/checkpoint/create --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/checkpoint/list --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/checkpoint/restore --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/destroy --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/list --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/show --engine' { 'auto'; 'local'; 'cloud' }
            '/sprite/up --engine' { 'auto'; 'local'; 'cloud' }
            '/unmount --engine' { 'auto'; 'local'; 'cloud' }
            '/version --engine' { 'auto'; 'local'; 'cloud' }
            '/go --repo' { (MesaboxNames repos) }
            '/go --sprite' { (MesaboxNames sprites) }
            '/key/mint --repo' { (MesaboxNames repos) }
            '/mount --repo' { (MesaboxNames repos) }
            '/run --repo' { (MesaboxNames repos) }
        default { switch -CaseSensitive -Exact ($place) {
            '' { 'auth'; 'completion'; 'config'; 'doctor'; 'down'; 'engine'; 'gc'; 'go'; 'help'; 'key'; 'mount'; 'repo'; 'run'; 'runs'; 'sh'; 'sprite'; 'unmount'; 'version'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/auth' { 'login'; 'logout'; 'status'; '--help' }
            '/auth/login' { 'mesa'; 'sprites'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose'; '--with-token' }
            '/auth/logout' { 'mesa'; 'sprites'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/auth/status' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/completion' { 'bash'; 'zsh'; 'fish'; 'powershell'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/config' { 'init'; 'path'; 'show'; '--help' }
            '/config/init' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/config/path' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/config/show' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--origin'; '--quiet'; '--verbose' }
            '/doctor' { '--bundle'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/down' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--repos'; '--verbose'; '--yes' }
            '/engine' { 'env'; 'logs'; 'reset'; 'start'; 'status'; 'stop'; '--help' }
            '/engine/env' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/engine/logs' { '--debug'; '--engine'; '--follow'; '--help'; '--json'; '--lines'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/engine/reset' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose'; '--yes' }
            '/engine/start' { '--debug'; '--engine'; '--fault'; '--fault-seed'; '--help'; '--isolation'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/engine/status' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/engine/stop' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/gc' { '--debug'; '--dry-run'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/go' { '--apply'; '--bookmark'; '--debug'; '--detach'; '--dry-run'; '--engine'; '--env'; '--env-file'; '--events'; '--from'; '--help'; '--isolation'; '--json'; '--keep'; '--ndjson'; '--no-color'; '--no-input'; '--no-tty'; '--quiet'; '--repo'; '--resume'; '--secret'; '--sprite'; '--timeout'; '--tty'; '--verbose'; '--workdir' }
            '/help' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/key' { 'list'; 'mint'; 'revoke'; '--help' }
            '/key/list' { '--all'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/key/mint' { '--debug'; '--engine'; '--help'; '--json'; '--name'; '--no-color'; '--no-input'; '--quiet'; '--repo'; '--scope'; '--ttl'; '--verbose' }
            '/key/revoke' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/mount' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--key-file'; '--no-color'; '--no-input'; '--quiet'; '--read-only'; '--repo'; '--ttl'; '--verbose' }
            '/repo' { 'cat'; 'create'; 'delete'; 'diff'; 'list'; 'log'; 'show'; '--help' }
            '/repo/cat' { (MesaboxNames repos); '--at'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/repo/create' { (MesaboxNames repos); '--bookmark'; '--debug'; '--engine'; '--help'; '--if-not-exists'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/repo/delete' { (MesaboxNames repos); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose'; '--yes' }
            '/repo/diff' { (MesaboxNames repos); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--stat'; '--verbose' }
            '/repo/list' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/repo/log' { (MesaboxNames repos); '--bookmark'; '--debug'; '--engine'; '--help'; '--json'; '--limit'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/repo/show' { (MesaboxNames repos); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/run' { (MesaboxNames sprites); '--debug'; '--detach'; '--engine'; '--env'; '--env-file'; '--events'; '--help'; '--json'; '--ndjson'; '--no-color'; '--no-input'; '--no-tty'; '--quiet'; '--repo'; '--secret'; '--timeout'; '--tty'; '--verbose'; '--workdir' }
            '/runs' { 'apply'; 'attach'; 'diff'; 'export'; 'list'; 'logs'; 'rerun'; 'show'; '--help' }
            '/runs/apply' { '--debug'; '--dry-run'; '--engine'; '--force'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/runs/attach' { '--after'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--secret'; '--verbose' }
            '/runs/diff' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--stat'; '--verbose' }
            '/runs/export' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--output'; '--quiet'; '--verbose' }
            '/runs/list' { '--debug'; '--engine'; '--help'; '--json'; '--limit'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/runs/logs' { '--after'; '--debug'; '--engine'; '--follow'; '--help'; '--json'; '--ndjson'; '--no-color'; '--no-input'; '--quiet'; '--since'; '--stream'; '--verbose' }
            '/runs/rerun' { '--debug'; '--detach'; '--engine'; '--events'; '--help'; '--json'; '--ndjson'; '--no-color'; '--no-input'; '--no-tty'; '--quiet'; '--secret'; '--tty'; '--verbose' }
            '/runs/show' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sh' { (MesaboxNames sprites); '--debug'; '--engine'; '--env'; '--env-file'; '--help'; '--json'; '--no-color'; '--no-input'; '--no-tty'; '--quiet'; '--secret'; '--tty'; '--verbose'; '--workdir' }
            '/sprite' { 'checkpoint'; 'destroy'; 'list'; 'show'; 'up'; '--help' }
            '/sprite/checkpoint' { 'create'; 'list'; 'restore'; '--help' }
            '/sprite/checkpoint/create' { (MesaboxNames sprites); '--comment'; '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sprite/checkpoint/list' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sprite/checkpoint/restore' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sprite/destroy' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sprite/list' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--prefix'; '--quiet'; '--verbose' }
            '/sprite/show' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/sprite/up' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/unmount' { (MesaboxNames sprites); '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
            '/version' { '--debug'; '--engine'; '--help'; '--json'; '--no-color'; '--no-input'; '--quiet'; '--verbose' }
        } }
    }
    $words | Where-Object { $_ -clike "$cur*" } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
