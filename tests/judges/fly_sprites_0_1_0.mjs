// @fly/sprites 0.1.0, unmodified, against the engine. Reads SPRITES_API_URL and SPRITES_TOKEN.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { SpritesClient } from "@fly/sprites";

const client = new SpritesClient(process.env.SPRITES_TOKEN, { baseURL: process.env.SPRITES_API_URL });
const name = `judge-js-${randomBytes(4).toString("hex")}`;

const parts = {
  async catalogue(sprite) {
    assert.equal((await client.getSprite(name)).name, name);
    assert.ok((await client.listAllSprites("judge-js-")).some((one) => one.name === name));
    await assert.rejects(client.createSprite(name), /already exists/);
    await assert.rejects(client.getSprite("judge-js-nobody"), /not found/i);
    await sprite.updateURLSettings({ auth: "public" });
  },
  async running(sprite) {
    assert.equal((await sprite.exec("echo hello world")).stdout, "hello world\n");
    const done = await sprite.execFile("sh", ["-c", "echo out; echo err >&2"]);
    assert.equal(done.stdout, "out\n");
    assert.equal(done.stderr, "err\n");
    for (const code of [1, 7, 127]) {
      await assert.rejects(sprite.execFile("sh", ["-c", `exit ${code}`]), (error) => error.exitCode === code || error.result?.exitCode === code);
    }
    await assert.rejects(sprite.execFile("no-such-program", []));
    assert.equal((await sprite.execFile("printenv", ["A"], { env: { A: "b c=d" } })).stdout, "b c=d\n");
    assert.equal((await sprite.execFile("pwd", [], { cwd: "/tmp" })).stdout, "/tmp\n");
    for (let i = 0; i < 50; i++) assert.equal((await sprite.execFile("echo", [`${i}`])).stdout, `${i}\n`);
    const zeros = await sprite.execFile("sh", ["-c", "head -c 2000000 /dev/zero | tr '\\0' x"]);
    assert.equal(zeros.stdout.length, 2000000);
  },
  async spawning(sprite) {
    const command = sprite.spawn("cat", []);
    let seen = "";
    command.stdout.on("data", (data) => (seen += data));
    await new Promise((resolve) => command.once("spawn", resolve)); // the SDK loses what is written before
    command.stdin.write("one\n");
    command.stdin.end("two\n");
    assert.equal(await command.wait(), 0);
    assert.equal(seen, "one\ntwo\n");
    const killed = sprite.spawn("sleep", ["30"]);
    await new Promise((resolve) => killed.once("spawn", resolve));
    killed.kill("SIGTERM");
    assert.equal(await killed.wait(), 143);
  },
  async overHttp(sprite) {
    const failure = await sprite.execFileHTTP("sh", ["-c", "cat; echo err >&2; exit 4"], { input: "in\n" }).catch((error) => error);
    assert.deepEqual(failure.result, { stdout: "in\n", stderr: "err\n", exitCode: 4 });
    assert.equal((await sprite.execFileHTTP("echo", ["done"])).stdout, "done\n");
  },
  async sessions(sprite) {
    const command = sprite.createSession("sh", ["-c", "echo begun; sleep 30"]);
    command.on("error", () => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    const sessions = await sprite.listSessions();
    assert.equal(sessions.length, 1);
    assert.equal(sessions[0].tty, true);
    await sprite.killSession(sessions[0].id, "SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await sprite.listSessions()).length, 0);
  },
  async files(sprite) {
    const fs = sprite.filesystem("/home/sprite");
    await fs.mkdir("deep/er", { recursive: true });
    await fs.writeFile("deep/er/file.txt", "text é");
    assert.equal(await fs.readFile("deep/er/file.txt", "utf8"), "text é");
    await fs.appendFile("deep/er/file.txt", "!");
    assert.equal(await fs.readFile("deep/er/file.txt", "utf8"), "text é!");
    assert.deepEqual((await fs.readdir("deep/er")).map((entry) => entry.name ?? entry), ["file.txt"]);
    await fs.rename("deep/er/file.txt", "deep/moved.txt");
    await fs.copyFile("deep/moved.txt", "deep/copied.txt");
    await fs.chmod("deep/copied.txt", 0o600);
    assert.equal((await fs.stat("deep/copied.txt")).size, 8);
    assert.equal(await fs.exists("deep/er/file.txt"), false);
    await fs.rm("deep", { recursive: true });
    assert.equal(await fs.exists("deep/moved.txt"), false);
  },
  async checkpoints(sprite) {
    const fs = sprite.filesystem("/home/sprite");
    await fs.writeFile("state", "before");
    for await (const line of await stream(sprite.createCheckpoint("mine"))) assert.notEqual(line.type, "error");
    await fs.writeFile("state", "after");
    assert.ok((await sprite.listCheckpoints()).some((one) => one.id === "v1" && one.comment === "mine"));
    for await (const line of await stream(sprite.restoreCheckpoint("v1"))) assert.notEqual(line.type, "error");
    assert.equal(await fs.readFile("state", "utf8"), "before");
  },
  async policy(sprite) {
    await sprite.updateNetworkPolicy({ rules: [{ domain: "example.com", action: "allow" }] });
    assert.equal((await sprite.getNetworkPolicy()).rules[0].domain, "example.com");
  },
};

async function stream(answer) {
  const value = await answer;
  if (value[Symbol.asyncIterator]) return value;
  const lines = [];
  await value.processAll((line) => lines.push(line));
  return lines;
}

const sprite = await client.createSprite(name, { labels: ["judge"] });
try {
  for (const [title, part] of Object.entries(parts)) {
    await part(sprite);
    console.log("ok", title);
  }
} finally {
  await sprite.destroy();
}
await assert.rejects(client.getSprite(name), /not found/i);
process.exit(0);
