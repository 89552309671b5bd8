// The examples and the README's configurations, as they stand.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BUILD, KEY, Place, RELAY, ROOT, command, sourceConfig, until } from './harness.mjs';

const SECRET = 'whsec_' + Buffer.from('an example secret of 32 bytes !!').toString('base64');
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

test('a topic subscriber: subscriber.c, and nngcat, get the same events', async (t) => {
  const place = new Place(t);
  const sim = await place.sim([...SIM, '--hold']);
  const bus = `ipc://${place.path('bus')}`;
  const refill = `ipc://${place.path('refill')}`;
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
  bus: { nng: { listen: ["${bus}"], refill: "${refill}" } }
rules: [{ name: all, to: [bus, file] }]
`);
  place.relay();
  const subscriber = place.start(join(BUILD, 'subscriber'), [bus, refill, 'recipient.failed', place.path('seen')]);
  await until('the bus listens', () => existsSync(place.path('bus')));
  const nngcat = place.start('stdbuf', ['-oL', 'nngcat', '--sub', '--dial', bus, '--subscribe', 'relay.heartbeat', '--quoted']);
  await until('nngcat sees a heartbeat', () => /relay\.heartbeat/.test(nngcat.stdout));
  await sim.post('/sim/start');
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/end');
  const failures = (await sim.ledger()).filter((l) => l.owed && l.type === 'recipient.failed');
  await until('the subscriber has all failures', () => subscriber.lines().length >= failures.length);
  const got = subscriber.lines().map((l) => JSON.parse(l.slice(l.indexOf('{'))).data.recipient_id);
  assert.deepEqual(got.sort(), failures.map((l) => l.recipient).sort());
});

test('every configuration in the README and the docs is one that check accepts, once completed', (t) => {
  const place = new Place(t);
  const env = { ...process.env, INVENT_API_KEY: 'k', CRM_SECRET: SECRET, SECRET, DEMO_API: 'http://127.0.0.1:1', DEMO_KEY: 'k', DEMO_DIR: place.dir, DEMO_RECEIVER: 'http://127.0.0.1:2', DEMO_SECRET: SECRET };
  let checked = 0;
  for (const file of ['README.md', 'docs/delivery.md', 'docs/bus.md', 'docs/polling.md', 'docs/admin.md', 'docs/architecture.md', 'docs/events.md']) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, yaml] of text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)) {
      const whole = (/^source:/m.test(yaml) ? '' : 'source: { api_key: k }\n') + yaml;
      const r = command(['check', place.write('doc.yaml', whole)], { env });
      assert.equal(r.status, 0, `${file}:\n${yaml}\n${r.stderr}`);
      checked++;
    }
  }
  assert.ok(checked >= 2);
  for (const file of ['demo.yaml', 'failures.yaml'])
    assert.equal(command(['check', join(ROOT, 'examples', file)], { env }).status, 0);
});

test('every command in the README and the docs is one that relay has', () => {
  const names = new Set([...command(['--help']).stdout.matchAll(/^ {2}([a-z]+) /gm)].map((m) => m[1]));
  let found = 0;
  for (const file of ['README.md', 'docs/delivery.md', 'docs/bus.md', 'docs/polling.md', 'docs/admin.md', 'docs/architecture.md', 'docs/events.md'])
    for (const [, name] of readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:^|`)relay ([a-z]+)\b/gm)) {
      assert.ok(names.has(name), `${file}: relay ${name}`);
      found++;
    }
  assert.ok(found > 8);
  assert.equal(spawnSync(RELAY, ['version']).status, 0);
});
