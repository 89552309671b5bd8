// simulated API → relay → NATS JetStream: what the commands say of it, and a cluster of three that
// loses the node the relay is connected to, by kill -9 under load; then the relay dies as well.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Place, command, sourceConfig, until, verify } from './harness.mjs';
import { NatsClient, natsCluster, natsServer } from './nats.mjs';
import { natsOperator } from './nats-keys.mjs';

const config = (sim, destination) => `${sim ? sourceConfig(sim) : 'source: { api_key: k }\n'}
journal: { sqlite: { path: relay.db } }
destinations:
  cluster: ${destination}
rules:
  - { name: failures, when: { type: recipient.failed }, to: [cluster], topic: "bad.{{data.broadcast_id}}" }
  - { name: all, to: [cluster] }
`;

test('check, send-test and a wrong token', async (t) => {
  const place = new Place(t);
  const token = 'a-token-that-is-hushed';
  place.write('wrong', 'b-token-that-is-hushed');
  const server = await natsServer(place);
  const client = await NatsClient.open(server.port);
  const sendTest = (...args) => command(['send-test', '-c', place.path('relay.yaml'), '--to', 'cluster', ...args]);

  place.config(config(null, `{ nats: { servers: "nats://relay:${token}@127.0.0.1:${server.port}" } }`));
  const bad = command(['check', place.path('relay.yaml')]);
  assert.equal(bad.status, 78);
  assert.match(bad.stdout + bad.stderr, /relay\.yaml:\d+:\d+: .*servers.*password_file/);
  assert.ok(!(bad.stdout + bad.stderr).includes(token));

  place.config(config(null, `{ nats: { servers: "${server.url}", stream: RELAY, timeout: 500ms } }`));
  assert.equal(command(['check', place.path('relay.yaml')]).status, 0);
  const none = sendTest('--json');
  assert.equal(none.status, 1);
  assert.match(JSON.parse(none.stdout).why, /no stream takes the subject relay\.recipient\.failed\./);
  await client.addStream({ name: 'RELAY', subjects: ['relay.>'] });
  const shown = JSON.parse(sendTest().stdout);
  assert.equal(shown.verdict, 'sent');
  assert.equal(shown.method, 'PUB');
  assert.match(shown.url, /^relay\.recipient\.failed\./);
  assert.equal(shown.headers, `Nats-Msg-Id: ${shown.event}\ncontent-type: application/cloudevents+json\nNats-Expected-Stream: RELAY\n`);
  const [sent] = await client.messages('RELAY');
  assert.equal(sent.type, 'application/cloudevents+json');
  assert.equal(JSON.parse(sent.body).id, sent.id);
  assert.equal(sent.subject, shown.url);
  assert.equal(sent.body, shown.body);
  client.close();

  server.process.kill();
  await server.process.exit;
  const guarded = await natsServer(new Place(t), `authorization { token: "${token}" }`);
  place.config(config(null, `{ nats: { servers: "${guarded.url}", token_file: wrong } }`));
  const denied = sendTest();
  assert.equal(denied.status, 1);
  const { verdict, why } = JSON.parse(denied.stdout);
  assert.equal(verdict, 'try again');
  assert.match(why, /^127\.0\.0\.1:\d+: Authorization Violation$/);
  assert.match(command(['options']).stdout, /destinations\.NAME\.nats\.servers/);
});

test('a .creds file of a user who may publish, and nothing else', async (t) => {
  const place = new Place(t);
  const operator = natsOperator();
  const server = await natsServer(place, operator.config);
  const client = await NatsClient.open(server.port, operator.user());
  await client.addStream({ name: 'RELAY', subjects: ['relay.>'] });
  place.config(config(null, `{ nats: { servers: "${server.url}", credentials_file: relay.creds, timeout: 1s } }`));
  const sendTest = () => {
    const r = command(['send-test', '-c', place.path('relay.yaml'), '--to', 'cluster', '--json']);
    return JSON.parse(r.stdout);
  };
  const allowed = operator.user({ pub: { allow: ['relay.>'] }, sub: { allow: ['_INBOX.>'] } });
  writeFileSync(place.path('relay.creds'), allowed.creds, { mode: 0o600 });
  assert.equal(sendTest().verdict, 'sent');
  place.write('relay.creds', operator.user({ pub: { deny: ['relay.>'] } }).creds);
  assert.match(sendTest().why, /no acknowledgement within 1000 ms; the server said: Permissions Violation/);
  place.write('relay.creds', natsOperator().user().creds); // of another operator
  assert.match(sendTest().why, /Authorization Violation/);
  place.write('relay.creds', 'no credentials\n');
  const none = command(['send-test', '-c', place.path('relay.yaml'), '--to', 'cluster']);
  assert.equal(none.status, 78);
  assert.match(none.stderr, /relay\.creds holds no user's JWT and no seed/);
  assert.equal((await client.messages('RELAY')).length, 1);
  client.close();
});

test('a cluster that loses the node the relay is connected to has each event, once', async (t) => {
  const place = new Place(t);
  const nodes = await natsCluster(place);
  const watcher = await NatsClient.open(nodes[0].port);
  await watcher.addStream({ name: 'RELAY', subjects: ['relay.>'], num_replicas: 3 });
  watcher.close();
  const sim = await place.sim(['--broadcasts', '2', '--recipients', '500', '--ramp', '600s', '--speed', '20', '--rate-limit', '0']);
  place.config(config(sim, `{ nats: { servers: [${nodes.map((n) => `"${n.url}"`).join(', ')}], stream: RELAY }, redact: [phone],
    retry: [0s, 200ms, 500ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s] }`));
  let relay = place.relay();

  let victim;
  await until('the relay is connected', async () => {
    for (const n of nodes) if ((await n.connections()).includes('relay cluster')) victim = n;
    return victim;
  });
  const others = nodes.filter((n) => n !== victim);
  const client = await NatsClient.open(others[0].port);
  t.after(() => client.close());
  const held = async () => (await client.info('RELAY')).state?.messages ?? 0;
  await sim.post('/sim/step?ms=60000'); // each step so many at once, and some all the time
  await until('the stream fills', async () => await held() > 300);
  const before = await held();
  await sim.post('/sim/step?ms=60000');
  victim.process.kill('SIGKILL');
  await victim.process.exit;
  await until('the relay went on with another', async () =>
    (await Promise.all(others.map((n) => n.connections()))).flat().includes('relay cluster'));
  await until('the stream fills again', async () => await held() > before + 300);
  await victim.start(); // it comes back, and has to catch up
  const again = await held();
  await sim.post('/sim/step?ms=60000');
  await until('it has begun with those', async () => await held() > again + 10);
  relay.kill('SIGKILL'); // what was in flight is published once more
  await relay.exit;
  relay = place.relay();
  await until('and goes on', async () => await held() > again + 200);
  await sim.post('/sim/step?ms=1200000');
  await sim.post('/sim/end');
  await sim.saveLedger();

  let messages;
  let verdict;
  try {
    await until('all of the ledger is in the stream', async () => {
      messages = await client.messages('RELAY');
      verdict = verify(place.path('ledger.ndjson'), [place.write('stream.ndjson', messages.map((m) => m.body + '\n').join(''))]);
      return verdict.ok;
    }, 40000);
  } catch (e) {
    assert.fail(`${e.message}\n${verdict?.text}\n${relay.stderr}`);
  }
  // And the stream has all of the journal, but what is about the destination itself, and no more.
  await until('the journal owes nothing', async () => {
    const listed = command(['events', 'list', '-c', place.path('relay.yaml'), '--limit', '0', '--json']).stdout;
    const known = listed.trim().split('\n').map((l) => JSON.parse(l)).filter((e) => !e.type.startsWith('relay.destination.'));
    messages = await client.messages('RELAY');
    const has = new Set(messages.map((m) => m.id));
    return known.every((e) => has.has(e.id)) && has.size === known.length;
  });
  const ids = messages.map((m) => m.id);
  assert.equal(new Set(ids).size, ids.length);
  for (const m of messages) {
    const e = JSON.parse(m.body);
    assert.equal(e.id, m.id);
    const topic = e.type === 'recipient.failed' ? `bad.${e.data.broadcast_id}`
      : e.type.startsWith('relay.') ? `${e.type}.-.-`
        : `${e.type}.${e.data.integration_id ?? '-'}.${e.data.broadcast_id ?? '-'}`;
    assert.equal(m.subject, `relay.${topic}`);
  }
  // First arrivals are in the order of the journal for each recipient.
  const last = new Map();
  for (const { body } of messages) {
    const e = JSON.parse(body);
    assert.ok(!(last.get(e.partitionkey) > e.sequence), `${e.partitionkey}: ${e.sequence} after ${last.get(e.partitionkey)}`);
    last.set(e.partitionkey, e.sequence);
  }
  relay.kill('SIGTERM');
  assert.deepEqual(await relay.exit, { code: 0, signal: null });
  const [d] = command(['destinations', 'list', '-c', place.path('relay.yaml'), '--json']).stdout.trim().split('\n').map((l) => JSON.parse(l));
  assert.equal(d.name, 'cluster');
  assert.deepEqual([d.state, d.parked], ['enabled', 0]);
});
