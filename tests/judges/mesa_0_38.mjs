// @mesadev/sdk 0.38.0 with an API key: the Mesa half of the flow from nothing to an agent's work. Throws when wrong.
import assert from 'node:assert/strict';
import { Mesa, VIRTUAL_ROOT_CHANGE_ID } from '@mesadev/sdk';

const mesa = new Mesa({ apiKey: process.env.MESA_API_KEY, apiUrl: process.env.MESA_URL });
const base64 = (text) => Buffer.from(text).toString('base64');
const refused = (status) => (error) => error.status === status;

const repo = await mesa.repos.create({ name: 'agent-workspace' });
assert.equal(repo.head_change_id, VIRTUAL_ROOT_CHANGE_ID);
await assert.rejects(mesa.repos.create({ name: 'agent-workspace' }), refused(409));
const key = await mesa.apiKeys.create({
  name: 'sandbox-session', scopes: ['read', 'write'], expires_in_seconds: 3600, repo_ids: [repo.id], tags: { Run: '1' },
});
assert.match(key.key, /^mesa_/);
assert.deepEqual(key.tags, { run: '1' });

const session = new Mesa({ apiKey: key.key, apiUrl: process.env.MESA_URL });
const author = { name: 'Ada', email: 'ada@example.com' };
const change = await session.changes.create({
  repo: 'agent-workspace', base_change_id: VIRTUAL_ROOT_CHANGE_ID, message: 'first', author,
  files: [{ path: 'a/b.txt', content: base64('hi\n'), encoding: 'base64', action: 'upsert' }],
});
await session.bookmarks.create({ repo: 'agent-workspace', name: 'feat/x', change_id: change.id });
await session.bookmarks.move({ repo: 'agent-workspace', bookmark: 'main', change_id: change.id });
const file = await session.content.get({ repo: 'agent-workspace', path: 'a/b.txt' });
assert.equal(Buffer.from(file.content, 'base64').toString(), 'hi\n');
const diff = await session.diffs.get({
  repo: 'agent-workspace', base_change_id: VIRTUAL_ROOT_CHANGE_ID, head_change_id: change.id,
});
assert.deepEqual(diff.entries.map((entry) => [entry.path, entry.status]), [['a/b.txt', 'added']]);
await assert.rejects(session.apiKeys.list(), refused(403));

const { token } = await session.tokens.create({ scopes: ['read'], repos: ['my-org/agent-workspace'] });
const headers = { authorization: `Bearer ${token}` };
const read = await fetch(`${process.env.MESA_URL}/my-org/agent-workspace/content?path=a/b.txt`, { headers });
assert.equal(read.status, 200);
const write = await fetch(`${process.env.MESA_URL}/my-org/agent-workspace`, { method: 'DELETE', headers });
assert.equal(write.status, 403);

await mesa.apiKeys.revoke({ id: key.id });
await assert.rejects(session.repos.list({ org: 'my-org' }), refused(401));
assert.equal((await fetch(`${process.env.MESA_URL}/whoami`, { headers })).status, 401);
await mesa.repos.delete({ repo: 'agent-workspace' });
await assert.rejects(mesa.repos.get({ repo: 'agent-workspace' }), refused(404));
