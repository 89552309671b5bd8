// kill -9 at random moments of an accelerated campaign, restarted each time. Afterwards the file
// and the callbacks have every owed change at least once; repeats carry the same id and equal data.
//
// KILLS (preset 5) and SEED choose the run; the seed is printed. At least half of the kills must
// fall while a call is in flight, which the receiver knows: it holds each call for a moment.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Place, sleep, sourceConfig, until, verify } from '../e2e/harness.mjs';

const KILLS = Number(process.env.KILLS ?? 5);
const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const HOLD_MS = 40; // how long the receiver holds a call

function generator(seed) {
  let s = BigInt(seed) + 0x9e3779b97f4a7c15n;
  return () => {
    s = (s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(s >> 33n) / 2 ** 31;
  };
}

const config = (sim, receiver) => sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
  crm: { http: { url: "${receiver.url}/hook" }, in_flight: 16, retry: [0s, 50ms, 100ms, 200ms, 500ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s] }
rules: [{ name: all, to: [file, crm] }]
`;

async function holdingReceiver(place) {
  const receiver = await place.receiver();
  receiver.open = 0;
  receiver.server.prependListener('request', (request, response) => {
    receiver.open++;
    response.on('close', () => receiver.open--);
    const end = response.end.bind(response);
    response.end = (...args) => setTimeout(() => end(...args), HOLD_MS);
  });
  return receiver;
}

async function arrived(place, sim, receiver, deadlineMs) {
  let verdicts = [];
  try {
    await until('everything owed arrived', async () => {
      await sim.saveLedger();
      receiver.saveAccepted('calls.ndjson');
      verdicts = ['events.ndjson', 'calls.ndjson'].map((f) => verify(place.path('ledger.ndjson'), [place.path(f)]));
      return verdicts.every((v) => v.ok);
    }, deadlineMs);
    return { ok: true };
  } catch (e) {
    return { ok: false, text: `${e.message}\n${verdicts.map((v) => v.text).join('\n')}` };
  }
}

test(`kill -9, ${KILLS} times`, { timeout: 600000 }, async (t) => {
  const random = generator(SEED);
  t.diagnostic(`SEED=${SEED}`);
  const place = new Place(t);
  // Long enough that something happens before each kill.
  const sim = await place.sim(['--seed', String(SEED), '--recipients', String(150 + 30 * KILLS), '--ramp', `${20 + 6 * KILLS}s`,
    '--speed', '10', '--rate-limit', '0']);
  const receiver = await holdingReceiver(place);
  place.config(config(sim, receiver));
  let busy = 0;
  for (let i = 0; i < KILLS; i++) {
    const relay = place.relay();
    const before = receiver.calls.length;
    await until('it delivers', () => receiver.calls.length > before || relay.exited, 30000);
    assert.equal(relay.exited, false, relay.stderr);
    await sleep(random() * 300);
    if (receiver.open > 0) busy++;
    relay.kill('SIGKILL');
    await relay.exit;
    await sim.post(`/sim/step?ms=${Math.floor(random() * 3000)}`);
  }
  t.diagnostic(`kills=${KILLS} while_a_call_was_in_flight=${busy}`);
  assert.ok(busy * 2 >= KILLS, `only ${busy} of ${KILLS} kills fell while a call was in flight`);
  await sim.post('/sim/end');
  const relay = place.relay();
  const end = await arrived(place, sim, receiver, 60000);
  assert.ok(end.ok, `SEED=${SEED}\n${end.text}\n${relay.stderr.split('\n').slice(-10).join('\n')}`);
  t.diagnostic(`callbacks=${receiver.calls.length} distinct=${new Set(receiver.calls.map((c) => JSON.parse(c.body).id)).size}`);
});

test('the comparison is worth something: an event deleted from the journal is missed', { timeout: 120000 }, async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--seed', String(SEED), '--recipients', '120', '--ramp', '10s', '--speed', '20', '--rate-limit', '0']);
  const receiver = await holdingReceiver(place);
  receiver.answer = () => ({ status: 503 });
  place.config(config(sim, receiver));
  const relay = place.relay();
  await until('events are owed', () => place.read('events.ndjson').split('\n').length > 150);
  relay.kill('SIGKILL');
  await relay.exit;
  const last = place.read('events.ndjson').trim().split('\n').at(-1);
  const sequence = Number(JSON.parse(last).sequence);
  const r = spawnSync('sqlite3', [place.path('relay.db'),
    `DELETE FROM routes WHERE seq = ${sequence}; DELETE FROM exceptions WHERE seq = ${sequence}; DELETE FROM events WHERE seq = ${sequence};`], { encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
  receiver.answer = () => ({ status: 204 });
  await sim.post('/sim/end');
  place.relay();
  const end = await arrived(place, sim, receiver, 8000);
  assert.equal(end.ok, false);
  assert.match(end.text, /missing/);
});
