"""Where a machine cannot isolate, it is said why and what mends it; nothing is silently less."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesabox.engine.probe import probe
from mesabox.engine.sandbox import trial
from mesabox.engine.sandbox.values import CannotIsolate

FORBIDDING = """if True:
    import json, sys
    from pathlib import Path
    from mesabox.engine.sandbox import privileges, syscalls
    from mesabox.engine.sandbox.launch import SandboxHost
    from mesabox.engine.sandbox.values import CannotIsolate
    from mesabox.engine.probe import probe
    EPERM, UNSHARE = 1, {unshare}
    program = privileges.filter_program(privileges.platform.machine(), fake_root=False)
    answer = privileges._answer([UNSHARE], EPERM)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.load_seccomp([*program[:6], *answer, *program[6:]])
    try:
        SandboxHost.launch("auto", Path({cache!r}), {{}})
    except CannotIsolate as error:
        said = [error.what, error.why, error.fix]
    print(json.dumps([said, probe(Path({cache!r}))]))
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_without_namespaces_launch_and_probe_say_the_same(tmp_path):
    unshare = {"x86_64": 272, "aarch64": 97}.get(os.uname().machine)
    if unshare is None:
        pytest.skip("this machine's number of unshare is not known here")
    script = FORBIDDING.format(unshare=unshare, cache=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    (what, why, fix), found = json.loads(done.stdout)
    assert "cannot isolate" in what and "not permitted" in why
    assert "--isolation none" in fix or "sysctl" in fix
    assert found["problem"] == {"what": what, "why": why, "fix": fix}
    assert found["tier"] is None and found["isolated"] is False
    assert any(not check["ok"] and check["fix"] for check in found["checks"])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"kernel.apparmor_restrict_unprivileged_userns": "1"}, "kernel.apparmor_restrict_unprivileged_userns=0"),
        ({"kernel.unprivileged_userns_clone": "0"}, "kernel.unprivileged_userns_clone=1"),
        ({"user.max_user_namespaces": "0"}, "user.max_user_namespaces=10000"),
    ],
)
def test_the_line_that_mends_it(monkeypatch, settings, line):
    monkeypatch.setattr(trial, "_sysctl", settings.get)
    assert trial._fix("user namespace") == f"sudo sysctl -w {line}"


def test_a_healthy_setting_is_not_blamed(monkeypatch):
    monkeypatch.setattr(trial, "_sysctl", {"user.max_user_namespaces": "96365"}.get)
    assert "sysctl" not in trial._fix("namespaces")


def test_an_upper_on_the_wrong_file_system_is_named():
    assert "MESABOX_HOME" in trial._fix("overlay")


def test_elsewhere_it_is_the_cloud(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CannotIsolate) as refusal:
        trial.best_tier(tmp_path)
    assert refusal.value.fix == "use --engine cloud"


def test_probe_is_plain_data(tmp_path):
    found = probe(tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert found["checks"] and {"name", "ok", "detail", "fix"} == set(found["checks"][0])
