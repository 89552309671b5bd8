// The main job: simulated API → relay → file, callbacks and bus, compared with the ledger.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, RELAY, command, sourceConfig, until, verify } from './harness.mjs';

const SECRET = 'whsec_' + Buffer.from('0123456789abcdef0123456789abcdef').toString('base64');
const CAMPAIGN = ['--broadcasts', '2', '--recipients', '400', '--ramp', '60s', '--speed', '60', '--rate-limit', '0'];

const config = (place, sim, receiver) => sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
  crm: { http: { url: "${receiver.url}/hook", secret: "${SECRET}" }, retry: [0s, 100ms, 200ms, 200ms, 200ms, 1s, 1s, 1s] }
  bus: { nng: { listen: ["ipc://${place.path('bus')}"], refill: "ipc://${place.path('refill')}" } }
rules:
  - { name: all, to: [file, bus] }
  - { name: failures, when: { type: [recipient.failed, recipient.bounced] }, to: [crm] }
`;

// A campaign that runs, and a relay that has begun to tell of it.
async function underWay(t, simArgs) {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '200', ...simArgs, '--rate-limit', '0']);
  const receiver = await place.receiver();
  const text = config(place, sim, receiver);
  place.config(text);
  const relay = place.relay();
  await until('events', () => place.read('events.ndjson').split('\n').length > 20);
  return { place, sim, receiver, text, relay };
}

const requests = async (sim) => (await sim.json('/sim/status')).model.requests.total;

// The campaign is over, and what it owed has arrived in all files.
async function settled(sim, place, checks) {
  await sim.post('/sim/end');
  const ledger = await sim.saveLedger();
  let verdicts;
  try {
    await until('everything owed arrived', async () => {
      verdicts = checks().map(([events, extra]) => verify(place.path('ledger.ndjson'), [events], extra));
      return verdicts.every((v) => v.ok);
    }, 40000);
  } catch (e) {
    assert.fail(e.message + '\n' + verdicts.map((v) => v.text).join('\n'));
  }
  return ledger;
}

test('every owed change arrives in the file, at the callback and on the bus', async (t) => {
  const place = new Place(t);
  const sim = await place.sim([...CAMPAIGN, '--hold']);
  const receiver = await place.receiver();
  place.config(config(place, sim, receiver));
  const relay = place.relay();
  const bus = place.start(RELAY, ['subscribe', `ipc://${place.path('bus')}`, 'recipient.', 'broadcast.',
    '--refill', `ipc://${place.path('refill')}`, '--all']);
  await until('a heartbeat reaches the subscriber', () => /connected/.test(bus.stderr));
  await sim.post('/sim/start');
  await until('callbacks arrive', () => receiver.calls.length > 5);
  await until('some hundred events', () => bus.lines().length > 500);
  await settled(sim, place, () => {
    place.write('bus.ndjson', bus.stdout);
    receiver.saveAccepted('calls.ndjson');
    return [[place.path('events.ndjson'), ['--label', 'file']], [place.path('bus.ndjson'), ['--label', 'bus']],
      [place.path('calls.ndjson'), ['--type', 'recipient.failed,recipient.bounced', '--label', 'callbacks']]];
  });
  // One destination's line, another's callback and a third's message are the same event.
  const lines = new Map(place.read('events.ndjson').trim().split('\n').map((l) => [JSON.parse(l).id, l]));
  for (const call of receiver.accepted()) assert.equal(call.body, lines.get(JSON.parse(call.body).id));
  // What the comparison is worth: it fails when one event is dropped.
  const one = [...lines.keys()].find((id) => lines.get(id).includes('"recipient.sent"'));
  const short = place.read('events.ndjson').split('\n').filter((l) => !l.includes(one)).join('\n');
  assert.equal(verify(place.path('ledger.ndjson'), [place.write('short.ndjson', short)]).ok, false);
  relay.kill('SIGTERM');
  assert.deepEqual(await relay.exit, { code: 0, signal: null });

  // The journal tells the same; what is decided last (contacts not reached) came since.
  const all = new Set(place.read('events.ndjson').trim().split('\n').map((l) => JSON.parse(l).id));
  const list = command(['events', 'list', '-c', place.path('relay.yaml'), '--limit', '0', '--json']);
  assert.equal(list.stdout.trim().split('\n').length, all.size);
  const failed = command(['events', 'list', '-c', place.path('relay.yaml'), '--type', 'recipient.failed', '-n', '1']);
  const event = JSON.parse(failed.stdout);
  assert.equal(event.type, 'recipient.failed');
  const shown = JSON.parse(command(['events', 'show', event.id, '-c', place.path('relay.yaml'), '--json']).stdout);
  assert.equal(shown.event.id, event.id);
  assert.deepEqual(shown.destinations.map((d) => [d.name, d.state]).sort(), [['bus', 'sent'], ['crm', 'sent'], ['file', 'sent']]);
  // No key and no secret anywhere but in the configuration.
  for (const text of [relay.stderr, relay.stdout, place.read('relay.db'), place.read('relay.db-wal')])
    assert.ok(!text.includes('sim-key') && !text.includes(SECRET.slice(6)));
});

test('a receiver that is away loses nothing, and gets each recipient in order', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(CAMPAIGN);
  const receiver = await place.receiver();
  place.config(config(place, sim, receiver).replace('when: { type: [recipient.failed, recipient.bounced] }, ', ''));
  const relay = place.relay();
  await until('callbacks arrive', () => receiver.accepted().length > 50);
  await receiver.close();
  await until('it is told that callbacks fail', () => /delivery fails.*destination=crm/.test(relay.stderr));
  await sim.post('/sim/step?ms=600000');
  await until('the relay has seen what happened', () => place.read('events.ndjson').split('\n').length > 1500, 60000);
  const back = await place.receiver(undefined, receiver.port);
  back.calls.unshift(...receiver.calls);
  await settled(sim, place, () => {
    back.saveAccepted('calls.ndjson');
    return [[place.path('calls.ndjson'), []]];
  });
  const last = new Map();
  const seen = new Set();
  for (const call of back.accepted()) {
    const e = JSON.parse(call.body);
    if (seen.has(e.id)) continue; // a repeat may come later
    seen.add(e.id);
    assert.ok(!(last.get(e.partitionkey) > e.sequence), `${e.partitionkey}: ${e.sequence} after ${last.get(e.partitionkey)}`);
    last.set(e.partitionkey, e.sequence);
  }
  relay.kill('SIGTERM');
  assert.equal((await relay.exit).code, 0);
});

test('what is refused is parked with its reason, and everything else goes on', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '300', '--ramp', '30s', '--speed', '60', '--rate-limit', '0']);
  const refused = new Set();
  const receiver = await place.receiver((call) => {
    const id = JSON.parse(call.body).id;
    if (refused.size < 1 || refused.has(id)) {
      refused.add(id);
      return { status: 422, body: 'no such\nsubscriber' };
    }
    return { status: 200 };
  });
  place.config(config(place, sim, receiver));
  place.relay();
  await until('more callbacks', () => receiver.accepted().length > 3);
  const [id] = refused;
  await until('it is parked', () => {
    const r = command(['events', 'show', id, '-c', place.path('relay.yaml'), '--json']);
    const d = JSON.parse(r.stdout).destinations.find((x) => x.name === 'crm');
    return d.state === 'parked' && /422.*no such/.test(d.attempts[0].why) && !d.attempts[0].why.includes('\n');
  });
  assert.equal(receiver.calls.filter((c) => JSON.parse(c.body).id === id).length, 1);
});

test('SIGHUP: a good file is taken over, a bad one changes nothing and names the place', async (t) => {
  const { place, sim, receiver, text, relay } = await underWay(t, ['--ramp', '60s', '--speed', '30']);
  place.config(text.replace('to: [crm]', 'to: [cmr]'));
  relay.kill('SIGHUP');
  await until('the mistake is told', () => /relay\.yaml:\d+:\d+: .*cmr/.test(relay.stderr));
  place.config(text + '  - { name: sent too, when: { type: recipient.sent }, to: [crm] }\n');
  relay.kill('SIGHUP');
  await until('the reload is told', () => /settings reloaded/.test(relay.stderr));
  await until('the new rule works', () => receiver.calls.some((c) => JSON.parse(c.body).type === 'recipient.sent'));
  place.config(text.replace('relay.db', 'other.db'));
  relay.kill('SIGHUP');
  await until('a restart is asked for', () => /journal: a change needs a restart/.test(relay.stderr));
  await settled(sim, place, () => [[place.path('events.ndjson'), []]]);
});

test('SIGHUP: one that comes while another waits for an answer of the API is not lost', async (t) => {
  const { place, sim, receiver, text, relay } = await underWay(t, ['--ramp', '60s', '--speed', '30']);
  await sim.post('/sim/faults?set=slow%3D1500');
  const asked = await requests(sim);
  await until('a reply is under way', async () => await requests(sim) > asked);
  place.config(text.replace('to: [file, bus]', 'to: [file]'));
  relay.kill('SIGHUP');
  await until('the first waits for it', () => /taken over when the API/.test(relay.stderr));
  place.config(text + '  - { name: sent too, when: { type: recipient.sent }, to: [crm] }\n');
  relay.kill('SIGHUP');
  await until('both are taken over', () => relay.stderr.match(/settings reloaded/g)?.length === 2);
  assert.equal(/old settings stay/.test(relay.stderr), false);
  await until('the newer rule works', () => receiver.calls.some((c) => JSON.parse(c.body).type === 'recipient.sent'));
});

test('a full journal: polling pauses, deliveries go on, nothing is lost when there is room', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '2500', '--ramp', '5s', '--speed', '20', '--rate-limit', '0']);
  const receiver = await place.receiver();
  const text = config(place, sim, receiver);
  place.config(text.replace('path: relay.db', 'path: relay.db, max_size: 10MB'));
  const relay = place.relay();
  await until('it says so', () => /takes no more: polling pauses.*journal full/.test(relay.stderr));
  const [latest] = place.read('events.ndjson').trim().split('\n').slice(-1);
  assert.ok(JSON.parse(latest).sequence > 0);
  assert.equal(relay.exited, false);
  relay.kill('SIGTERM');
  assert.equal((await relay.exit).code, 0);
  place.config(text);
  place.relay();
  await settled(sim, place, () => [[place.path('events.ndjson'), []]]);
});

test('SIGHUP: what cannot be opened changes nothing; what was removed and comes back goes on', async (t) => {
  const { place, sim, receiver, text, relay } = await underWay(t, ['--ramp', '120s', '--speed', '10']);
  // Its first destination is good and new, the other cannot be opened.
  place.config(text.replace('destinations:', 'destinations:\n  aaa: { stdout: { path: aaa.ndjson } }\n  bad: { stdout: { path: /nonexistent/x } }')
    .replace('to: [file, bus]', 'to: [file, bus, aaa, bad]'));
  relay.kill('SIGHUP');
  await until('it says so', () => /old settings stay.*nonexistent/.test(relay.stderr));
  assert.equal(/settings reloaded/.test(relay.stderr), false);
  place.config(text.replace(/^ {2}crm: .*\n/m, '').replace(/^ {2}- \{ name: failures.*\n/m, ''));
  relay.kill('SIGHUP');
  await until('it is detached', () => /destination detached.*crm/.test(relay.stderr));
  place.config(text);
  relay.kill('SIGHUP');
  await until('it is reloaded', () => relay.stderr.match(/settings reloaded/g)?.length === 2);
  await sim.post('/sim/step?ms=600000');
  await settled(sim, place, () => [[place.path('events.ndjson'), []]]);
  await until('callbacks go on', () => receiver.calls.length > 0);
  assert.equal(place.read('aaa.ndjson'), '');
  assert.equal(relay.exited, false);
});
