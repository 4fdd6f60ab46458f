"""Sprites' own published clients against the whole engine, and Mesa's integration page with both services' clients."""

import pytest

pytestmark = pytest.mark.judge

NODE = "node@24"


def test_python_sdk(judge_env, engine_env):
    judge = judge_env("sprites-py-0.7.2", ["sprites-py==0.7.2"])
    judge.run("sprites_py_0_7_2.py", timeout=300, **engine_env)


def test_javascript_sdk(node_env, engine_env):
    judge = node_env("fly-sprites-0.1.0", ["@fly/sprites@0.1.0", NODE])
    judge.run("fly_sprites_0_1_0.mjs", timeout=300, **engine_env)


def test_the_integration_page(node_env, engine_env):
    judge = node_env("integration-page", ["@fly/sprites@0.1.0", "@mesadev/sdk@0.38.0", NODE])
    judge.run("integration_page.mjs", timeout=300, **engine_env)
