// relay probe and relay plan as a person uses them: real processes, files left behind, exit statuses.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { FAST, Place, RELAY, command, freePort, sourceConfig, until } from './harness.mjs';

const REST = `journal: { sqlite: { path: relay.db } }
destinations: { file: { stdout: { path: events.ndjson } } }
rules: [{ name: all, to: [file] }]
`;

const relay = (place, ...args) => command(args, { cwd: place.dir });

// A campaign that has come to rest.
async function rested(place, args = []) {
  const sim = await place.sim(['--recipients', '900', '--ramp', '10s', '--hold', '--order', 'updated', ...args]);
  await sim.post('/sim/start');
  await sim.post('/sim/step?ms=7200000');
  await sim.post('/sim/end');
  return sim;
}

const answers = (report, but = []) => Object.fromEntries(report.findings
  .filter((f) => !but.includes(f.question)).map((f) => [f.question, [f.answer, f.evidence]]));

test('probe answers, leaves a seed that run starts from, and a recording that says the same', async (t) => {
  const place = new Place(t);
  const sim = await rested(place);
  place.config(sourceConfig(sim) + REST);
  const first = relay(place, 'probe', '-c', 'relay.yaml', '--record', 'pages.ndjson');
  assert.equal(first.status, 0, first.stderr);
  const report = JSON.parse(first.stdout);
  const said = answers(report);
  assert.equal(report.broadcast, 'bc_1');
  assert.ok(report.requests <= 40);
  assert.equal(said.recipients_order[0], 'updated_at, newest first');
  assert.equal(said.counters[0], 'exact');
  assert.equal(said.counts[0], 'given, and of the filter');
  assert.match(said.clock[0], /^(agrees with|ahead of)/);
  assert.equal(JSON.parse(place.read('relay.db.probe.json')).order, 'updated_at');
  assert.equal(statSync(place.path('pages.ndjson')).mode & 0o777, 0o600);
  assert.ok(!existsSync(place.path('relay.db')));

  const pages = place.read('pages.ndjson');
  const rows = JSON.parse(await sim.get('/orgs/c/broadcasts/bc_1/recipients'));
  for (const row of rows)
    for (const text of [row.id, row.name, row.phone, row.email, row.contact.id, row.external_message_id])
      assert.ok(!text || !pages.includes(text), text);

  sim.process.kill();
  const replay = await place.sim(['--replay', place.path('pages.ndjson')]);
  place.config(sourceConfig(replay) + REST);
  const again = relay(place, 'probe', '-c', 'relay.yaml', '--json');
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(answers(JSON.parse(again.stdout), ['clock']), answers(report, ['clock']));

  const running = place.relay();
  await until('events of the recorded rows', () => /"recipient\.sent"/.test(place.read('events.ndjson')));
  assert.match(running.stderr, /starting from what the last probe learned/);
  const beside = relay(place, 'probe'); // it holds the journal's lock
  assert.equal(beside.status, 0, beside.stderr);
});

test('probe prints a report for people', async (t) => {
  const place = new Place(t);
  place.config(sourceConfig(await rested(place)) + REST);
  const p = place.start('script', ['-qec', `${RELAY} probe`, '/dev/null']);
  assert.equal((await p.exit).code, 0, p.stdout);
  const text = p.stdout.replaceAll('\r', '');
  assert.match(text, /request 1 of at most 40/);
  assert.match(text, /: \d+ requests, of broadcast bc_1 \(SENT, 900 recipients\)\n/);
  assert.match(text, /How is the list of recipients sorted\?\n {2}updated_at, newest first\n {2}\(neighbours /);
  assert.match(text, /Was a request refused .*\n {2}none was refused\n/);
});

test('probe says why it could not ask, and leaves nothing then', async (t) => {
  const place = new Place(t);
  const sim = await rested(place);
  place.config(`source: { base_url: "${sim.url}", api_key: wrong }\n${REST}`);
  let r = relay(place, 'probe', '--record', 'pages.ndjson');
  assert.equal(r.status, 1);
  assert.match(r.stderr, /the API cannot be used: HTTP 401: it refuses the key/);
  place.config(`source: { base_url: "http://127.0.0.1:${await freePort()}", api_key: k }\n${REST}`);
  r = relay(place, 'probe', '--record', 'pages.ndjson');
  assert.equal(r.status, 1);
  assert.match(r.stderr, /the API cannot be used: /);
  assert.ok(!existsSync(place.path('pages.ndjson')) && !existsSync(place.path('relay.db.probe.json')));
  place.config(`source: { base_ulr: x }\n${REST}`);
  assert.equal(relay(place, 'probe').status, 78);
  assert.equal(relay(place, 'plan').status, 78);
  assert.equal(relay(place, 'probe', '--recrod', 'x').status, 2);
  place.config(sourceConfig(sim) + REST);
  assert.equal(relay(place, 'probe', '--record', 'no/such/folder').status, 1);
});

test('a seed of another API, or one that is broken, costs no start', async (t) => {
  const place = new Place(t);
  const sim = await rested(place);
  place.config(sourceConfig(sim) + REST);
  for (const [seed, why] of [['{"base_url":"https://x.example"}', /it is of another base_url/], ['{"or', /not JSON/]]) {
    place.write('relay.db.probe.json', seed);
    const running = place.relay();
    await until('it says so', () => why.test(running.stderr));
    assert.match(running.stderr, /what the last probe learned cannot be used/);
    running.kill();
    assert.equal((await running.exit).code, 0);
  }
});

test('plan tells what comes next, from the journal and from the relay that runs', async (t) => {
  const place = new Place(t);
  const sim = await rested(place);
  const port = await freePort();
  place.config(sourceConfig(sim) + `admin: { listen: "127.0.0.1:${port}" }\n` + REST);
  const none = relay(place, 'plan');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /relay\.db/);
  assert.ok(!existsSync(place.path('relay.db')));

  const running = place.relay();
  const plan = () => JSON.parse(relay(place, 'plan', '--json').stdout || '{}');
  const live = await until('the running relay holds all rows', () => {
    const p = plan();
    return p.from === 'relay' && p.broadcasts[0]?.rows === 900 && p.broadcasts[0].why !== 'first sweep' && p;
  });
  assert.equal(live.full_sweep_every_ms, 6 * 3600 * 1000);
  assert.equal(live.list_every_ms, 100);
  assert.equal(live.stretched, false);
  assert.equal(live.broadcasts[0].pages, 10);
  assert.equal(live.broadcasts[0].live, false);
  running.kill();
  await running.exit;

  place.config(sourceConfig(sim).replace(FAST, '\n  rate_limit: 150/min\n  full_sweep_every: 10s') + REST);
  const asked = async () => (await sim.json('/sim/status')).model.requests.total;
  const before = await asked();
  const rest = plan();
  assert.equal(await asked(), before);
  assert.equal(rest.from, 'journal');
  assert.equal(rest.requests_per_minute, 143);
  assert.equal(rest.broadcasts[0].rows, 900);
  assert.equal(rest.broadcasts[0].why, 'full sweep');
  assert.equal(rest.broadcasts[0].next, 'page 1');
  assert.equal(rest.broadcasts[0].requests, 10);
  assert.equal(rest.stretched, true);
  assert.equal(rest.full_sweep_every_ms, rest.broadcasts[0].sweep_shared_ms); // there is no other

  const p = place.start('script', ['-qec', `${RELAY} plan`, '/dev/null']);
  assert.equal((await p.exit).code, 0, p.stdout);
  for (const line of [/^from +the journal \(.*no admin section/m, /^requests +143 a minute/m, /longer than full_sweep_every \(10s\)/,
    /^ +next +page 1 \(full sweep\), 10 requests at least/m, /^ +sweep +10 pages, 4\.\ds alone, 2\d(\.\d)?s at its share; a row that goes/m])
    assert.match(p.stdout, line);
});

test('plan counts pages of the size that the API gives', async (t) => {
  const place = new Place(t);
  const sim = await rested(place, ['--fault', 'take=50']);
  place.config(sourceConfig(sim) + `admin: { listen: "127.0.0.1:${await freePort()}" }\n` + REST);
  place.relay();
  await until('the plan has pages of 50 rows', () => {
    const [b] = JSON.parse(relay(place, 'plan', '--json').stdout || '{}').broadcasts ?? [];
    return b?.rows === 900 && b.pages === 19;
  });
});
