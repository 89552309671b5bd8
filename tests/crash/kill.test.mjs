// kill -9 at random moments of an accelerated campaign, restarted each time, while it is delivered to
// a file and to four receivers: one that answers, one that is slow, one that fails at times, one that
// goes away again and again. Afterwards each of them has every owed change at least once; a repeat
// carries the same id and equal data, and a kill brings a bounded number of them; first arrivals of a
// recipient are in order.
//
// KILLS (preset 10) and SEED choose the run; the seed is printed. At least half of the kills must
// fall while a call is in flight, which the receivers know: they hold each call for a moment.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Place, sleep, sourceConfig, until, verifyBeside } from '../e2e/harness.mjs';

const KILLS = Number(process.env.KILLS ?? 10);
const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const IN_FLIGHT = 16;
const SETTLES_MAX = 512; // verdicts that may wait for their commit, per destination
const NAMES = ['prompt', 'slow', 'flaky', 'absent'];

function generator(seed) {
  let s = BigInt(seed) + 0x9e3779b97f4a7c15n;
  return () => {
    s = (s * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(s >> 33n) / 2 ** 31;
  };
}

const RETRY = `[0s, ${Array(40).fill('100ms').join(', ')}]`;
const config = (sim, receivers) => sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
${receivers.map((r) => `  ${r.name}: { http: { url: "${r.url}/hook" }, in_flight: ${IN_FLIGHT}, retry: ${RETRY} }`).join('\n')}
rules: [{ name: all, to: [file, ${receivers.map((r) => r.name).join(', ')}] }]
`;

// Holds each call for a moment before it is answered; `away` closes the connection instead.
async function holdingReceiver(place, name, holdMs) {
  const receiver = await place.receiver();
  Object.assign(receiver, { name, open: 0, away: false });
  receiver.server.prependListener('request', (request, response) => {
    receiver.open++;
    response.on('close', () => receiver.open--);
    if (receiver.away) {
      request.socket.destroy();
      return;
    }
    const end = response.end.bind(response);
    response.end = (...args) => setTimeout(() => end(...args), holdMs);
  });
  return receiver;
}

async function fourReceivers(place, random) {
  const receivers = [];
  for (const name of NAMES) receivers.push(await holdingReceiver(place, name, name === 'slow' ? 150 : 40));
  const [, , flaky, absent] = receivers;
  flaky.answer = () => ({ status: random() < 0.25 ? 503 : 204 });
  absent.answer = () => ({ status: absent.away ? 503 : 204 }); // nobody gets to see the 503
  return receivers;
}

async function arrived(place, sim, receivers, deadlineMs) {
  let verdicts = [];
  try {
    await until('everything owed arrived', async () => {
      await sleep(1000);
      await sim.saveLedger();
      for (const r of receivers) r.saveAccepted(`${r.name}.ndjson`);
      verdicts = await Promise.all(['events', ...receivers.map((r) => r.name)].map((f) => verifyBeside(place.path('ledger.ndjson'), [place.path(`${f}.ndjson`)])));
      return verdicts.every((v) => v.ok);
    }, deadlineMs);
    return { ok: true };
  } catch (e) {
    return { ok: false, text: `${e.message}\n${verdicts.map((v) => v.text).join('\n')}` };
  }
}

// Accepted calls beyond the first of their event; and that first ones of a recipient are in order.
function lookAt(receiver) {
  const seen = new Set();
  const last = new Map();
  let repeats = 0;
  for (const call of receiver.accepted()) {
    const event = JSON.parse(call.body);
    if (seen.has(event.id)) {
      repeats++;
      continue;
    }
    seen.add(event.id);
    const before = last.get(event.partitionkey) ?? '';
    assert.ok(event.sequence > before, `${receiver.name}: ${event.partitionkey} got ${event.sequence} after ${before}`);
    last.set(event.partitionkey, event.sequence);
  }
  return { repeats, distinct: seen.size };
}

test(`kill -9, ${KILLS} times`, { timeout: 1200000 }, async (t) => {
  const random = generator(SEED);
  t.diagnostic(`SEED=${SEED}`);
  const place = new Place(t);
  // Long enough that something happens before each kill.
  const sim = await place.sim(['--seed', String(SEED), '--recipients', String(150 + 30 * KILLS), '--ramp', `${20 + 6 * KILLS}s`,
    '--speed', '10', '--rate-limit', '0']);
  const receivers = await fourReceivers(place, random);
  const [prompt, , , absent] = receivers;
  place.config(config(sim, receivers));
  let busy = 0;
  for (let i = 0; i < KILLS; i++) {
    absent.away = random() < 0.7;
    const relay = place.relay();
    const before = prompt.calls.length;
    await until('it delivers', () => prompt.calls.length > before || relay.exited, 30000);
    assert.equal(relay.exited, false, relay.stderr);
    await sleep(random() * 300);
    if (receivers.some((r) => r.open > 0)) busy++;
    relay.kill('SIGKILL');
    await relay.exit;
    await sim.post(`/sim/step?ms=${Math.floor(random() * 3000)}`);
  }
  absent.away = false;
  t.diagnostic(`kills=${KILLS} while_a_call_was_in_flight=${busy}`);
  assert.ok(busy * 2 >= KILLS, `only ${busy} of ${KILLS} kills fell while a call was in flight`);
  await sim.post('/sim/end');
  const relay = place.relay();
  const end = await arrived(place, sim, receivers, 120000 + 3000 * KILLS); // the slow one takes a hundred a second
  assert.ok(end.ok, `SEED=${SEED}\n${end.text}\n${relay.stderr.split('\n').slice(-10).join('\n')}`);
  for (const r of receivers) {
    const { repeats, distinct } = lookAt(r);
    t.diagnostic(`${r.name}_calls=${r.calls.length} distinct=${distinct} repeats=${repeats}`);
    assert.ok(repeats <= KILLS * (IN_FLIGHT + SETTLES_MAX), `${r.name}: ${repeats} repeats`);
  }
});

test('the comparison is worth something: an event deleted from the journal is missed', { timeout: 120000 }, async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--seed', String(SEED), '--recipients', '120', '--ramp', '10s', '--speed', '20', '--rate-limit', '0']);
  const receiver = await holdingReceiver(place, 'crm', 40);
  receiver.answer = () => ({ status: 503 });
  place.config(config(sim, [receiver]));
  const relay = place.relay();
  await until('events are owed', () => place.read('events.ndjson').split('\n').length > 150);
  relay.kill('SIGKILL');
  await relay.exit;
  const events = place.read('events.ndjson').trim().split('\n').map((line) => JSON.parse(line));
  const sequence = Number(events.findLast((e) => e.type.startsWith('recipient.')).sequence); // none of Relay's own
  const r = spawnSync('sqlite3', [place.path('relay.db'),
    `DELETE FROM routes WHERE seq = ${sequence}; DELETE FROM exceptions WHERE seq = ${sequence}; DELETE FROM events WHERE seq = ${sequence};`], { encoding: 'utf8' });
  assert.equal(r.status, 0, r.stderr);
  receiver.answer = () => ({ status: 204 });
  await sim.post('/sim/end');
  place.relay();
  const end = await arrived(place, sim, [receiver], 8000);
  assert.equal(end.ok, false);
  assert.match(end.text, /missing/);
});
