// How the recipients of a broadcast stand: over the bus, for who joins late, and by `relay rows`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Place, RELAY, command, freePort, sleep, sourceConfig, until } from './harness.mjs';
import { Refill } from './refill.mjs';

async function begun(t, simArgs, destination = '') {
  const place = new Place(t);
  const sim = await place.sim([...simArgs, '--rate-limit', '0', '--hold']);
  const [bus, refill] = [await freePort(), await freePort()].map((port) => `tcp://127.0.0.1:${port}`);
  const receiver = await place.receiver();
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations:
  crm: { http: { url: "${receiver.url}/hook" } }
  bus: { nng: { listen: ["${bus}"], refill: "${refill}" }${destination} }
rules: [{ name: all, to: [bus, crm] }]
`);
  const relay = place.relay();
  const ask = await until('the refill address answers', () => Refill.open(refill).catch(() => null));
  t.after(() => ask.close());
  return { place, sim, bus, refill, receiver, relay, ask };
}

// What the API shows of a broadcast's rows: id → its states.
async function truth(sim, id) {
  const rows = new Map();
  for (let page = 1; ; page++) {
    const list = JSON.parse(await sim.get(`/orgs/c/broadcasts/${id}/recipients?take=100&page=${page}`));
    for (const row of list) {
      const states = Object.keys(row).filter((k) => /^is_/.test(k) && !/_at$/.test(k) && row[k] === true);
      rows.set(row.id, states.map((k) => k.slice(3)).sort().join(' '));
    }
    if (list.length < 100) return rows;
  }
}

// All pages of a broadcast, and the lowest of their sequences.
async function stateOf(ask, id, limit, between = async () => {}) {
  const got = { rows: new Map(), sequence: Infinity, sequences: new Set(), order: [] };
  for (let after = '', more = true; more; await between()) {
    const page = await ask.ask({ state: id, after, limit });
    assert.equal(page.error, undefined);
    assert.ok(page.rows.length <= limit);
    for (const row of page.rows) {
      got.rows.set(row.recipient_id, { states: new Set(row.states), removed: row.removed });
      got.order.push(row.recipient_id);
    }
    got.sequences.add(page.sequence);
    got.sequence = Math.min(got.sequence, page.sequence);
    ({ next: after, more } = page);
  }
  return got;
}

// An event of a recipient put to its row, as docs/bus.md says.
function apply(rows, event) {
  const id = event.data.recipient_id;
  if (!rows.has(id)) rows.set(id, { states: new Set(), removed: false });
  const row = rows.get(id);
  row.removed = event.type === 'recipient.removed';
  if (event.type === 'recipient.reverted') row.states.delete(event.data.state);
  else if (event.data.state) row.states.add(event.data.state);
}

const shown = (rows) => new Map([...rows].filter(([, r]) => !r.removed).map(([id, r]) => [id, [...r.states].sort().join(' ')]));
const differ = (a, b) => [...new Set([...a.keys(), ...b.keys()])].filter((id) => a.get(id) !== b.get(id)).map((id) => `${id}: ${a.get(id)} / ${b.get(id)}`);

test('nngcat and relay rows get the rows of a broadcast', async (t) => {
  const { place, sim, refill, ask } = await begun(t, ['--recipients', '150', '--ramp', '10s', '--speed', '60']);
  await sim.post('/sim/start');
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/end');
  const rows = await truth(sim, 'bc_1');
  await until('the journal has all', async () => differ(shown((await stateOf(ask, 'bc_1', 1000)).rows), rows).length === 0);

  const nngcat = (request) => {
    const r = spawnSync('nngcat', ['--req', '--dial', refill, '--data', request, '--quoted'], { encoding: 'utf8', timeout: 20000 });
    assert.equal(r.status, 0, r.stderr);
    return JSON.parse(JSON.parse(r.stdout.trim().replace(/\\x([0-9a-f]{2})/g, '\\u00$1')));
  };
  const reply = nngcat('{"state":"bc_1"}');
  assert.equal(reply.state, 'bc_1');
  assert.equal(reply.more, false);
  assert.deepEqual(reply.rows.map((r) => r.recipient_id).sort(), [...rows.keys()].sort());
  assert.match(reply.next, /^149-[0-9a-f]{16}$/);
  assert.deepEqual([reply.broadcast.org_id, reply.broadcast.broadcast_id, reply.broadcast.rows, reply.broadcast.complete], ['c', 'bc_1', 150, true]);
  const one = reply.rows.find((r) => r.states.includes('delivered'));
  assert.match(one.at.delivered, /^20\d\d-/);
  assert.ok(one.contact_id && one.integration_id && one.status === 'PROCESSED');
  const unknown = nngcat('{"state":"bc_9"}');
  assert.deepEqual([unknown.rows, unknown.broadcast, unknown.more], [[], null, false]);
  assert.match(nngcat('{"state":"bc_1","topic":""}').error, /^topic and state/);
  for (const after of ['rcp_1', reply.rows[0].recipient_id, reply.next.replace('149', '148')])
    assert.match(nngcat(JSON.stringify({ state: 'bc_1', after })).error, /^after: .*begin again/);
  const rest = nngcat(JSON.stringify({ state: 'bc_1', after: nngcat('{"state":"bc_1","limit":100}').next }));
  assert.deepEqual([rest.rows, rest.more], [reply.rows.slice(100), false]);

  // The same rows by the command, beside the relay.
  const list = (...more) => command(['rows', 'bc_1', '-c', place.path('relay.yaml'), ...more]);
  assert.deepEqual(list().stdout.trim().split('\n').map((l) => JSON.parse(l)), reply.rows);
  const failed = list('--state', 'failed').stdout.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(failed, reply.rows.filter((r) => r.states.includes('failed')));
  assert.ok(failed.length > 0);
  assert.deepEqual(list('--limit', '2', '--after', reply.rows[2].recipient_id).stdout.trim().split('\n').map((l) => JSON.parse(l)), reply.rows.slice(3, 5));
  const csv = list('--csv').stdout.split('\r\n');
  assert.match(csv[0], /^recipient_id,integration_id,contact_id,status,states,created_at,updated_at,removed,skipped_at,failed_at,sent_at,delivered_at/);
  assert.equal(csv.length, 152); // the headings, and what is behind the last line's end
  assert.deepEqual(csv.slice(1, 151).map((l) => l.split(',')[0]), reply.rows.map((r) => r.recipient_id));
  assert.deepEqual(csv.slice(1, 151).map((l) => l.split(',')[4]), reply.rows.map((r) => r.states.join(' ')));
});

test('relay rows says what it does not find', async (t) => {
  const { place, sim, ask } = await begun(t, ['--recipients', '3', '--sub-org', 'org_2']);
  await sim.post('/sim/start');
  await until('a row', async () => (await ask.ask({ state: 'bc_1' })).rows.length);
  for (const [args, status, says] of [
    [['bc_9'], 2, /knows no broadcast "bc_9"/],
    [['bc_1', '--org', 'd'], 2, /knows no broadcast "bc_1" of d/],
    [['bc_1', '--state', 'sentt'], 2, /knows no state "sentt"/],
    [['bc_1', '--csv', '--json'], 2, /--csv and --json/],
    [['bc_1', '--limit', 'x'], 2, /--limit is a number/],
    [['bc_1', '--after', 'rcp_none'], 2, /"bc_1" has no recipient "rcp_none"/],
    [[], 2, /BROADCAST is missing/],
    [['bc_1', 'bc_2'], 2, /too much/],
    [['bc_1', '-c', place.path('none.yaml')], 78, /none\.yaml/],
  ]) {
    const r = command(['rows', '-c', place.path('relay.yaml'), ...args]);
    assert.equal(r.status, status, `${args}: ${r.stderr}`);
    assert.match(r.stderr, says);
    assert.equal(r.stdout, '');
  }
});

test('who joins late has the truth in the end, while the relay works', async (t) => {
  const { sim, place, bus, refill, receiver, ask } = await begun(t, ['--broadcasts', '2', '--recipients', '2500', '--ramp', '10m', '--speed', '60', '--flips', '40/min', '--removals', '5/min']);
  await sim.post('/sim/start');
  await until('it is half sent', async () => (await ask.ask({ topic: '', limit: 1 })).latest > 2500, 60000);

  const joined = [];
  for (let i = 0; i < 4; i++) {
    const own = await Refill.open(refill);
    const got = await stateOf(own, 'bc_1', 100 + i, () => sleep(20 * i));
    own.close();
    assert.equal(got.order.length, got.rows.size, 'each once');
    got.events = place.start(RELAY, ['subscribe', bus, 'recipient.', '--refill', refill, '--after', String(got.sequence)]);
    joined.push(got);
    await sleep(500);
  }
  assert.ok(joined.slice(1).every((j) => j.sequences.size > 1), 'pages hold at different sequences');
  await sim.post('/sim/end');
  const rows = await truth(sim, 'bc_1');
  for (const [i, j] of joined.entries()) {
    let still;
    const done = () => {
      const mine = new Map([...j.rows].map(([id, r]) => [id, { states: new Set(r.states), removed: r.removed }]));
      const events = j.events.lines().slice(0, j.events.stdout.endsWith('\n') ? undefined : -1).map((l) => JSON.parse(l));
      events.filter((e) => e.data.broadcast_id === 'bc_1').sort((a, b) => (a.sequence < b.sequence ? -1 : 1)).forEach((e) => apply(mine, e));
      still = differ(shown(mine), rows);
      return still.length === 0;
    };
    await until(`joiner ${i} has the truth`, async () => done() || (await sleep(300)), 60000)
      .catch((e) => assert.fail(`${e.message}: ${still.length} rows, ${still.slice(0, 5).join('; ')}; ${j.events.stderr}`));
    assert.ok(j.events.lines().length > 0);
  }
  // Who asks now has it from the rows alone.
  assert.deepEqual(differ(shown((await stateOf(ask, 'bc_1', 1000)).rows), rows), []);
  assert.ok(receiver.calls.length > 1000);
});

test('what is redacted from the events is not in the rows, and state: false tells none', async (t) => {
  const { sim, ask, place } = await begun(t, ['--recipients', '20'], ', redact: [contact, broadcast_name]');
  await sim.post('/sim/start');
  await until('rows', async () => (await ask.ask({ state: 'bc_1' })).rows.length === 20);
  const page = await ask.ask({ state: 'bc_1' });
  assert.ok(page.rows.every((r) => r.contact_id === null && r.integration_id));
  assert.equal(page.broadcast.broadcast_name, null);
  const [event] = (await ask.ask({ topic: 'recipient.added', limit: 1 })).events;
  assert.equal(event.data.recipient.contact, null);
  assert.ok(command(['rows', 'bc_1', '-c', place.path('relay.yaml')]).stdout.includes('"contact_id":"con_')); // the journal's owner sees it

  const silent = await begun(t, ['--recipients', '3']);
  silent.relay.kill('SIGTERM');
  await silent.relay.exit;
  const text = silent.place.read('relay.yaml').replace(`refill: "${silent.refill}"`, `refill: "${silent.refill}", state: false`);
  silent.place.config(text);
  silent.place.relay();
  const again = await until('the refill address answers', () => Refill.open(silent.refill).catch(() => null));
  t.after(() => again.close());
  assert.match((await again.ask({ state: 'bc_1' })).error, /state: .*switched off/);
  assert.equal((await again.ask({ topic: '' })).error, undefined);
});
