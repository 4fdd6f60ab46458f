"""Mesa's own published clients against the emulated Mesa: unmodified, only pointed at another URL."""

import httpx
import pytest

pytestmark = pytest.mark.judge


def test_python_sdk_of_the_api_key_era(judge_env, mesa_service):
    url, credentials = mesa_service
    judge = judge_env("mesa-0.28.1", ["mesa-sdk==0.28.1", "mesa-rest==0.28.1"])
    judge.run("mesa_0_28.py", MESA_URL=url, MESA_API_KEY=credentials.api_key)


def test_python_sdk_of_the_private_key_era(judge_env, mesa_service):
    url, credentials = mesa_service
    judge = judge_env("mesa-0.49.1", ["mesa-sdk==0.49.1", "mesa-rest==0.49.1"])
    token = judge.run("mesa_0_49.py", MESA_URL=url, MESA_PRIVATE_KEY=credentials.private_key).strip()
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{url}/my-org/agent-workspace", headers=headers).status_code == 200
    assert httpx.get(f"{url}/my-org/elsewhere", headers=headers).status_code == 404


def test_typescript_sdk_with_api_keys(node_env, mesa_service):
    url, credentials = mesa_service
    judge = node_env("mesadev-0.38.0", ["@mesadev/sdk@0.38.0"])
    judge.run("mesa_0_38.mjs", MESA_URL=url, MESA_API_KEY=credentials.api_key)
