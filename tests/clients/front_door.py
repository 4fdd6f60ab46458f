"""A stand-in for the engine's front door: the lock, the file, the one line, status and stop, and some ways to fail."""

import fcntl
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

told = json.load(sys.stdin)
state = Path(told["state"])
assert not any("TOKEN" in name or "KEY" in name for name in os.environ), "a credential came along"


def say(message):
    print(json.dumps(message), flush=True)
    os.dup2(2, 1)


def refuse():
    error = {"code": "cannot_isolate", "what": "no user namespaces", "why": "EPERM", "fix": "sysctl", "exit_code": 6}
    say({"ok": False, "error": error})
    sys.exit(6)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        allowed = self.headers["Authorization"] == "Bearer fake-token"
        body = json.dumps({"pid": os.getpid(), "sprites": [], "mounts": []}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.stopping = True


def serve():
    lock = os.open(state / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (state / "starts").open("a").write("x")
    time.sleep(0.2)
    server = HTTPServer(("127.0.0.1", 0), Answer)
    server.stopping = False
    facts = {
        "pid": os.getpid(),
        "url": f"http://127.0.0.1:{server.server_port}",
        "token": "fake-token",
        "org": "my-org",
        "mesa_api_key": "fake-key",
        "mesa_private_key": "fake-private",
        "version": "0",
        "tier": "root",
        "isolated": True,
        "started_at": time.time(),
        "unknown_field": 1,
    }
    (state / "engine.json").write_text(json.dumps(facts))
    say({"ok": True, "url": facts["url"], "pid": facts["pid"]})
    while not server.stopping:
        server.handle_request()


if told["isolation"] == "none":
    refuse()
if told["debug"]:
    sys.exit("it fell over\n")
serve() if sys.argv[1] == "serve" else say({"ok": True})
