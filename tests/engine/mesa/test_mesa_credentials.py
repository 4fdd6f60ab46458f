import sqlite3

import pytest
from mesa_service import Service

from mesabox.engine.mesa.routes import _TABLE
from mesabox.wire import mesa_tokens as tokens

NEEDED = {"GET": "read", "POST": "write", "PATCH": "write", "DELETE": "write"}


def address(path: str, org: str = "my-org", repo: str = "work") -> str:
    blanks = {"org": org, "repo": repo, "bookmark": "main", "change_id": "k" * 32, "id": "x"}
    return path.format(**blanks)


@pytest.mark.parametrize("path", ["/whoami", "/my-org", "/other/repos", "/no/such/path/at/all", "/"])
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Basic abc", "Bearer wrong", "Bearer é", "Bearer a.b.c"])
async def test_without_a_live_credential_everything_is_401(service, path, header):
    headers = {} if header is None else {b"authorization": header.encode("latin-1")}
    reply = await service.http.get(path, headers=headers)
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "UNAUTHENTICATED"
    assert reply.headers["www-authenticate"] == 'Bearer realm="mesa"'


async def test_whoami_tells_the_effective_rights(service):
    key = await service.key("write", name="robot")
    reply = await service.http.get("/whoami", headers={"authorization": f"bearer {key}"})
    told = reply.json()
    assert (told["org"]["slug"], told["key_name"], told["scopes"]) == ("my-org", "robot", ["read", "write"])


@pytest.mark.parametrize(("method", "path", "scope"), [row[:3] for row in _TABLE if row[2]])
async def test_every_route_asks_for_its_scope(service, method, path, scope):
    await service.repo()
    smaller = {"read": None, "write": "read", "admin": "write"}[scope]
    if smaller:
        key = await service.key(smaller)
        reply = await service.http.request(method, address(path), headers={"authorization": f"Bearer {key}"}, json={})
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "FORBIDDEN"), reply.text
    enough = {"authorization": f"Bearer {await service.key(scope)}"}
    assert (await service.http.request(method, address(path), headers=enough, json={})).status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in _TABLE if "{org}" in row[1]])
async def test_another_organization_is_not_found(service, method, path):
    headers = {"authorization": f"Bearer {service.mesa.bootstrap.api_key}"}
    reply = await service.http.request(method, address(path, org="other"), headers=headers, json={})
    assert reply.status_code == 404


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in _TABLE if "{repo}" in row[1]])
async def test_a_repo_out_of_reach_is_not_found(service, method, path):
    await service.repo()
    other = await service.repo("other")
    headers = {"authorization": f"Bearer {await service.key('write', repo_ids=[other['id']])}"}
    reply = await service.http.request(method, address(path), headers=headers, json={})
    assert reply.status_code == 404
    assert "work" in reply.text and "other" not in reply.text


async def test_keys_expire_and_are_revoked(service):
    short, long = await service.key("read", expires_in_seconds=100), await service.key("read")
    service.now += 99.9
    assert (await service.call("GET", "repos", credential=short)).status_code == 200
    service.now += 0.2
    assert (await service.call("GET", "repos", credential=short)).status_code == 401
    listed = {key["name"]: key for key in (await service.get("api-keys"))["api_keys"]}
    for key in (await service.get("api-keys", status="active"))["api_keys"]:
        if key["name"] != "bootstrap":
            assert (await service.call("DELETE", f"api-keys/{key['id']}")).json() == {"success": True}
            assert (await service.call("DELETE", f"api-keys/{key['id']}")).json() == {"success": True}
    assert listed
    assert (await service.call("GET", "repos", credential=long)).status_code == 401
    counts = {s: len((await service.get("api-keys", status=s))["api_keys"]) for s in ("active", "expired", "revoked")}
    assert counts == {"active": 1, "expired": 1, "revoked": 1}


async def test_the_database_holds_no_secret(service):
    key = await service.key("read")
    service.mesa.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = (service.state / "mesa.db").read_bytes()
    for secret in (key, service.mesa.bootstrap.api_key, service.mesa.bootstrap.private_key):
        assert secret.encode() not in stored
    assert tokens.api_key_hash(key).encode() in stored
    assert (service.state / "mesa.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expires_in_seconds": 99}, "expires_in_seconds"),
        ({"expires_in_seconds": 31_536_001}, "expires_in_seconds"),
        ({"expires_in_seconds": "100"}, "expires_in_seconds"),
        ({"expires_in_seconds": True}, "expires_in_seconds"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"repo_ids": []}, "repo_ids"),
        ({"tags": {"$x": "1"}}, "tags"),
        ({"tags": {"x": "1" * 257}}, "tags.x"),
        ({"name": 7}, "name"),
        ([], "body"),
    ],
)
async def test_a_bad_key_request_names_the_field(service, body, field):
    reply = await service.call("POST", "api-keys", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(f"{field}: ")


async def test_an_admin_of_some_repos_makes_keys_for_those_alone(service):
    one, other = await service.repo("one"), await service.repo("other")
    admin = await service.key("admin", repo_ids=[one["id"]])
    for wanted, status in ((None, 403), ([other["id"]], 404), ([one["id"]], 201)):
        reply = await service.call("POST", "api-keys", credential=admin, json={"repo_ids": wanted} if wanted else {})
        assert reply.status_code == status
    listed = (await service.call("GET", "api-keys", credential=admin)).json()["api_keys"]
    assert all(key["repo_ids"] == [one["id"]] for key in listed)
    assert (await service.call("POST", "repos", credential=admin, json={})).status_code == 403


async def test_key_tags_are_patched(service):
    created = await service.post("api-keys", tags={"Run": "1", "env": "ci"})
    assert created["tags"] == {"run": "1", "env": "ci"}
    assert set(created) == {"id", "key", "name", "scopes", "repo_ids", "tags", "created_at"}
    assert created["scopes"] == ["read", "write"]
    told = await service.patch(f"api-keys/{created['id']}", tags={"run": None, "x": "y"})
    assert told == {"tags": {"env": "ci", "x": "y"}}


async def test_hs256_tokens_narrow_their_key(service):
    repo = await service.repo()
    await service.repo("other")
    made = await service.post("api-keys", scopes=["admin"])

    def token(scopes, repos, **options):
        return tokens.sign_with_api_key(made["id"], made["key"], scopes=scopes, repos=repos, now=service.now, **options)

    reader = token(["read"], ["my-org/work", "elsewhere/other"])
    listed = (await service.call("GET", "repos", credential=reader)).json()["repos"]
    assert [one["id"] for one in listed] == [repo["id"]]
    assert (await service.call("DELETE", "work", credential=reader)).status_code == 403
    admin = token(["admin"], None)
    assert (await service.call("GET", "api-keys", credential=admin)).status_code == 200
    assert (await service.call("POST", "api-keys", credential=admin, json={})).status_code == 403
    forged = tokens.sign_with_api_key(made["id"], "another", scopes=["read"], repos=None, now=service.now)
    assert (await service.call("GET", "repos", credential=forged)).status_code == 401
    await service.call("DELETE", f"api-keys/{made['id']}")
    assert (await service.call("GET", "repos", credential=reader)).status_code == 401


async def test_private_key_tokens(service):
    await service.repo()
    await service.repo("other")
    key = tokens.PrivateKey.parse(service.mesa.bootstrap.private_key)
    access = tokens.sign_access_token(key, {"work": "write", "other": "read"}, now=service.now)
    assert (await service.call("PATCH", "work", credential=access, json={})).status_code == 200
    assert (await service.call("PATCH", "other", credential=access, json={})).status_code == 403
    assert (await service.call("GET", "other", credential=access)).status_code == 200
    admin = tokens.sign_admin_token(key, now=service.now)
    assert (await service.call("GET", "api-keys", credential=admin)).status_code == 200
    stranger = tokens.sign_admin_token(tokens.PrivateKey("my-org", bytes(32)), now=service.now)
    assert (await service.call("GET", "repos", credential=stranger)).status_code == 401
    foreign = tokens.sign_admin_token(tokens.PrivateKey("other-org", key._seed), now=service.now)
    assert (await service.call("GET", "repos", credential=foreign)).status_code == 401
    service.now += 901
    assert (await service.call("GET", "api-keys", credential=admin)).status_code == 401


async def test_bootstrap_credentials_survive_a_restart(service):
    await service.repo()
    again = Service(service.state, service.mesa.bootstrap)
    assert again.mesa.bootstrap == service.mesa.bootstrap
    assert len((await again.get("repos"))["repos"]) == 1
    with sqlite3.connect(service.state / "mesa.db") as database:
        assert database.execute("SELECT count(*) FROM api_key").fetchone() == (1,)
    await again.close()
