// The examples and the README's configurations, as they stand.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { BUILD, KEY, Place, RELAY, ROOT, command, sourceConfig, until } from './harness.mjs';
import { natsOperator } from './nats-keys.mjs';

const SECRET = 'whsec_' + Buffer.from('an example secret of 32 bytes !!').toString('base64');
// All that people read, but what `make bench` writes.
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).filter((f) => f !== 'performance.md').map((f) => `docs/${f}`)];
const SIM = ['--recipients', '300', '--ramp', '10s', '--speed', '20', '--rate-limit', '0'];

test('a callback on failures: receiver.mjs with failures.yaml', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(SIM);
  const receiver = place.start('node', [join(ROOT, 'examples/receiver.mjs')], { env: { ...process.env, SECRET, PORT: '0' } });
  const url = await until('the receiver listens', () => /(http:\S+)/.exec(receiver.stderr)?.[1]);
  const relay = place.start(RELAY, ['run', '-c', join(ROOT, 'examples/failures.yaml')], {
    env: { ...process.env, INVENT_API_KEY: KEY, INVENT_URL: sim.url, SINCE: 'all', SECRET, CRM_URL: `${url}/invent`, RELAY_DB: place.path('relay.db') } });
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/end');
  const failures = (await sim.ledger()).filter((l) => l.owed && /failed|bounced|complained/.test(l.type));
  assert.ok(failures.length > 3);
  await until('all failures were acted on', () => receiver.lines().length >= failures.length);
  assert.deepEqual(receiver.lines().map((l) => l.split(' ').slice(0, 2).join(' ')).sort(),
    failures.map((l) => `${l.type} ${l.recipient}`).sort());
  const forged = await fetch(`${url}/invent`, { method: 'POST', body: '{}', headers: { 'webhook-id': 'evt_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1,AAAA' } });
  assert.equal(forged.status, 401);
  relay.kill('SIGTERM');
  assert.equal((await relay.exit).code, 0);
});

// A whole configuration of what a page shows: with a source, and destinations for its rules.
function completed(yaml) {
  const source = /^source:/m.test(yaml) ? '' : 'source: { api_key: k }\n';
  const names = new Set([...yaml.matchAll(/^ +to: \[(.+?)\]/gm)].flatMap((m) => m[1].split(/, */)));
  const destinations = /^destinations:/m.test(yaml) || !names.size ? '' : `destinations: { ${[...names].map((n) => `${n}: { stdout: {} }`).join(', ')} }\n`;
  return source + destinations + yaml;
}

test('every configuration in the README and the docs is one that check accepts, once completed', (t) => {
  const place = new Place(t);
  const env = { ...process.env, INVENT_API_KEY: 'k', CRM_SECRET: SECRET, SECRET, DEMO_API: 'http://127.0.0.1:1', DEMO_KEY: 'k', DEMO_DIR: place.dir, DEMO_RECEIVER: 'http://127.0.0.1:2', DEMO_SECRET: SECRET,
    SLACK_WEBHOOK: 'https://hooks.slack.com/services/x', DISCORD_WEBHOOK: 'https://discord.com/api/webhooks/x', TEAMS_WORKFLOW: 'https://prod-1.logic.azure.com/x', PAGERDUTY_KEY: 'k' };
  place.write('our-slack.json', readFileSync(join(ROOT, 'examples/templates/slack.json'), 'utf8'));
  place.write('relay.creds', natsOperator().user().creds);
  let checked = 0;
  for (const file of PAGES) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, yaml] of text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)) {
      if (/^tests:/m.test(yaml)) continue; // rule-tests.test.mjs runs it
      const r = command(['check', place.write('doc.yaml', completed(yaml))], { env });
      assert.equal(r.status, 0, `${file}:\n${yaml}\n${r.stderr}`);
      checked++;
    }
  }
  assert.ok(checked >= 20);
  for (const file of ['demo.yaml', 'failures.yaml'])
    assert.equal(command(['check', join(ROOT, 'examples', file)], { env }).status, 0);
});

test('the cookbook of rules says what its files say, and check accepts them', () => {
  const docs = readFileSync(join(ROOT, 'docs/rules.md'), 'utf8');
  const env = { ...process.env, INVENT_API_KEY: 'k', CRM_SECRET: SECRET, VIP_SECRET: SECRET, OPS_SECRET: SECRET, SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/x' };
  const files = readdirSync(join(ROOT, 'examples/rules')).filter((f) => /^[a-z-]+\.yaml$/.test(f));
  assert.ok(files.length >= 9);
  for (const file of files) {
    const text = readFileSync(join(ROOT, 'examples/rules', file), 'utf8');
    const rules = text.slice(text.indexOf('rules:\n'));
    assert.ok(docs.includes(`(../examples/rules/${file})`), `docs/rules.md does not name ${file}`);
    assert.ok(docs.includes('```yaml\n' + rules + '```'), `docs/rules.md says something else than ${file}`);
    const r = command(['check', join(ROOT, 'examples/rules', file)], { env });
    assert.equal(r.status, 0, r.stderr);
    assert.equal(r.stderr, '', 'without a warning');
  }
});

test('an alerting pipeline: alerting.sh', (t) => {
  const place = new Place(t);
  const r = spawnSync(join(ROOT, 'examples/alerting.sh'), [BUILD], { encoding: 'utf8', timeout: 120000, env: { ...process.env, TMPDIR: place.dir } });
  assert.equal(r.status, 0, r.stdout + r.stderr);
  assert.match(r.stdout, /failure storm/);
  assert.match(r.stdout, /the team is told that it is over/);
});

test('every command in the README and the docs is one that relay has', () => {
  const names = new Set([...command(['--help']).stdout.matchAll(/^ {2}([a-z-]+) /gm)].map((m) => m[1]));
  let found = 0;
  for (const file of PAGES)
    for (const [, name] of readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:^|`)relay ([a-z]+(?:-[a-z]+)?)\b/gm)) {
      assert.ok(names.has(name), `${file}: relay ${name}`);
      found++;
    }
  assert.ok(found > 40);
  assert.equal(spawnSync(RELAY, ['version']).status, 0);
});

test('links in the README and the docs lead somewhere', () => {
  const anchors = (text) => [...text.matchAll(/^#+ (.*)$/gm)].map((m) => m[1].toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
  let found = 0;
  for (const page of PAGES)
    for (const [, to] of readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(to)) continue;
      const [path, anchor] = to.split('#'), file = path ? join(ROOT, dirname(page), path) : join(ROOT, page);
      assert.ok(existsSync(file), `${page}: ${to}`);
      if (anchor) assert.ok(anchors(readFileSync(file, 'utf8')).includes(anchor), `${page}: ${to}`);
      found++;
    }
  assert.ok(found > 30);
});
