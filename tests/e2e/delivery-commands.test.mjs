// Callbacks that nobody has to babysit, by hand: relay parked, replay, destinations and events show,
// beside a running relay and without one.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Place, RELAY, command, freePort, sourceConfig, until } from './harness.mjs';

const FAILURES = /^recipient\.(failed|bounced)$/;

// A relay whose receiver refuses every failure, until `receiver.answer` is changed; all are parked.
async function allParked(t, { admin = true } = {}) {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '250', '--ramp', '5s', '--speed', '30', '--rate-limit', '0']);
  const receiver = await place.receiver(() => ({ status: 404, body: 'no such hook' }));
  const port = await freePort();
  const text = `${sourceConfig(sim)}${admin ? `admin: { listen: "127.0.0.1:${port}" }\n` : ''}journal: { sqlite: { path: relay.db } }
destinations:
  file: { stdout: { path: events.ndjson } }
  crm: { http: { url: "${receiver.url}/hook" } }
rules:
  - { name: failures, when: { type: [recipient.failed, recipient.bounced] }, to: [crm] }
  - { name: all, to: [file] }
`;
  place.config(text);
  const relay = place.relay();
  await until('the relay has begun', () => /relay started/.test(relay.stderr) && place.read('events.ndjson'));
  const run = (...args) => command([...args, '-c', place.path('relay.yaml')]);
  const rows = (...args) => {
    const r = run(...args);
    assert.equal(r.status, 0, args.join(' ') + r.stderr);
    return r.stdout.split('\n').filter(Boolean).map((l) => JSON.parse(l));
  };
  await sim.post('/sim/step?ms=600000');
  await sim.post('/sim/end');
  const owed = (await sim.ledger()).filter((l) => l.owed && FAILURES.test(l.type)).length;
  assert.ok(owed > 5, `${owed} failures`);
  await until('all are parked', () => rows('parked', 'list').length === owed);
  receiver.calls.length = 0;
  receiver.answer = () => ({ status: 204 });
  const ids = () => receiver.calls.map((c) => JSON.parse(c.body).id).sort();
  return { place, sim, receiver, relay, text, run, rows, owed, ids };
}

test('parked events: seen, tried again, dropped', async (t) => {
  const { run, rows, receiver, owed, ids } = await allParked(t);
  const all = rows('parked', 'list', '--limit', '0');
  assert.deepEqual(all.map((p) => p.sequence), all.map((p) => p.sequence).sort((a, b) => a - b));
  for (const p of all) {
    assert.deepEqual([p.destination, p.attempts, FAILURES.test(p.type)], ['crm', 1, true]);
    assert.match(p.why, /^404: no such hook/);
    assert.match(p.subject, /^rcp_/);
  }
  // Filters, by flags and by operands.
  const [first, second, third] = all;
  const n = (...args) => rows('parked', 'list', ...args).length;
  const failed = all.filter((p) => p.type === 'recipient.failed').length;
  assert.deepEqual([n('--status', '404'), n('--status', '5'), n('--to', 'crm'), n('--to', 'file')], [owed, 0, owed, 0]);
  assert.deepEqual([n('--type', 'recipient.failed'), n('--type', 'recipient.'), n('--since', '1h'), n('--until', '1h'), n('--since', '2100-01-01')], [failed, owed, owed, 0, 0]);
  assert.deepEqual(rows('parked', 'list', String(second.sequence), first.id, '999999').map((p) => p.id).sort(), [first.id, second.id].sort());
  const cut = run('parked', 'list', '--limit', '2');
  assert.equal(cut.stdout.trim().split('\n').length, 2);
  assert.match(cut.stderr, /there are more; --limit 0/);
  const [shown] = rows('parked', 'show', first.id);
  const crm = shown.destinations.find((d) => d.name === 'crm');
  assert.deepEqual([shown.event.id, crm.state, crm.attempts.length, crm.attempts[0].verdict], [first.id, 'parked', 1, 'refused']);
  // What nobody chose is left alone.
  for (const args of [['parked', 'retry'], ['parked', 'drop'], ['replay', '--to', 'crm'], ['replay', '--since', '1h'], ['parked', 'retry', 'x'], ['parked', 'list', '--since', 'soon'],
    ['parked', 'mend'], ['parked', 'show'], ['parked', 'list', '--to', 'crn'], ['replay', '--to', 'crm', '--reroute', '--all', '--dry-run']])
    assert.equal(run(...args).status, 2, args.join(' '));
  assert.match(run('parked', 'list', '--to', 'crn').stderr, /did you mean "crm"/);
  assert.equal(rows('parked', 'retry', '--all', '--dry-run')[0].events, owed);
  assert.equal(n(), owed);
  // What is named and cannot be taken is said, and why; zero by a filter is an answer.
  const none = (args, ...why) => {
    const r = run(...args);
    assert.deepEqual([r.status, r.stdout], [1, ''], args.join(' '));
    assert.deepEqual(r.stderr.split('\n').filter(Boolean), why.map((w) => `relay ${args[0]}: ${w}`));
  };
  const other = rows('events', 'list', '--after', '0', '--limit', '0').find((e) => !FAILURES.test(e.type) && e.type.startsWith('recipient.'));
  const sequence = Number(other.sequence);
  const inFile = (id) => rows('events', 'show', id)[0].destinations.some((d) => d.name === 'file' && d.state === 'sent');
  await until('the file has them', () => [other, first, second].every((e) => inFile(e.id)));
  for (const verb of ['retry', 'drop'])
    none(['parked', verb, '999999', other.id], 'the journal holds no event 999999', `${other.id} is not parked: file: sent`);
  none(['parked', 'retry', String(first.sequence), '--to', 'file', '--dry-run'], `${first.sequence} is not parked: file: sent`);
  none(['parked', 'retry', String(first.sequence), '--status', '500'], `${first.sequence} is not of those that the flags ask for`);
  none(['parked', 'show', String(sequence)], `${sequence} is not parked: file: sent`);
  none(['parked', 'show', '999999'], 'the journal holds no event 999999');
  none(['replay', '--to', 'crm', String(sequence)], `${sequence} is not to be sent once more: no rule sent it to crm`);
  none(['replay', '--to', 'crm', '--reroute', '999999'], 'the journal holds no event 999999');
  assert.equal(rows('parked', 'retry', '--status', '500')[0].taken, 0);
  assert.equal(rows('parked', 'drop', '--until', '1h', '--dry-run')[0].events, 0);
  // Named twice it is one, in whatever way.
  assert.equal(rows('parked', 'retry', first.id, first.id, String(first.sequence), `0${Number(first.sequence)}`, String(second.sequence), '--dry-run')[0].events, 2);
  assert.equal(n(), owed);

  const [one] = rows('parked', 'retry', first.id);
  assert.deepEqual([one.kind, one.state, one.taken], ['retry', 'done', 1]);
  await until('it is delivered', () => receiver.calls.length === 1);
  assert.deepEqual(ids(), [first.id]);
  await until('and known to be', () => rows('events', 'show', first.id)[0].destinations.find((d) => d.name === 'crm').state === 'sent');
  const [dropped] = rows('parked', 'drop', String(second.sequence), String(third.sequence));
  assert.deepEqual([dropped.kind, dropped.state, dropped.taken], ['drop', 'done', 2]);
  await until('they are gone', () => n() === owed - 3);
  none(['parked', 'show', second.id], `${second.id} is not parked: file: sent, crm: dropped`);
  none(['parked', 'retry', first.id], `${first.id} is not parked: file: sent, crm: sent`);
  assert.equal(rows('parked', 'retry', '--status', '404', '--to', 'crm')[0].taken, owed - 3);
  await until('the others are delivered', () => receiver.calls.length === owed - 2);
  assert.equal(new Set(ids()).size, owed - 2);
  assert.ok(!ids().includes(second.id) && !ids().includes(third.id));
  await until('nothing is parked any more', () => n() === 0);
});

test('replay: past events once more, also those that were dropped', async (t) => {
  const { place, run, rows, receiver, owed, ids, relay, text } = await allParked(t);
  rows('parked', 'drop', '--all');
  assert.equal(rows('replay', '--to', 'crm', '--since', '1h', '--dry-run')[0].events, owed);
  assert.equal(rows('replay', '--to', 'crm', '--until', '1h', '--dry-run')[0].events, 0);
  const [job] = rows('replay', '--to', 'crm', '--since', '1h');
  assert.deepEqual([job.kind, job.state, job.taken], ['replay', 'done', owed]);
  await until('they come', () => receiver.calls.length === owed);
  const before = ids();
  assert.equal(new Set(before).size, owed);
  // Again, and by the rules: those that would not send it there then do not now.
  await until('they are known to be sent', () => rows('replay', '--to', 'crm', '--all', '--dry-run')[0].events === owed);
  rows('replay', '--to', 'crm', '--all', '--reroute', '--type', 'recipient.');
  await until('they come again', () => receiver.calls.length === 2 * owed);
  assert.deepEqual([...new Set(ids())], [...new Set(before)], 'with the ids they had');
  // A destination that is new gets the past by the rules of today.
  place.config(text.replace('rules:', '  late: { stdout: { path: late.ndjson } }\nrules:') + '  - { name: late, when: { type: [recipient.failed, recipient.bounced] }, to: [late] }\n');
  relay.kill('SIGHUP');
  await until('it is there', () => rows('destinations', 'list').some((d) => d.name === 'late'));
  assert.equal(rows('replay', '--to', 'late', '--all')[0].taken, 0, 'nothing was routed to it then');
  assert.equal(rows('replay', '--to', 'late', '--all', '--reroute')[0].state, 'done');
  await until('it has them', () => place.read('late.ndjson').trim().split('\n').length === owed);
  assert.deepEqual(place.read('late.ndjson').trim().split('\n').map((l) => JSON.parse(l).id).sort(), [...new Set(before)]);
  const unknown = run('replay', '--to', 'crn', '--all');
  assert.equal(unknown.status, 2); // as where no relay runs
  assert.match(unknown.stderr, /crn/);
});

test('destinations: stopped and started beside a running relay', async (t) => {
  const { place, run, rows, receiver, owed, relay, text } = await allParked(t);
  const crm = () => rows('destinations', 'list').find((d) => d.name === 'crm');
  assert.deepEqual([crm().state, crm().parked, crm().owed], ['enabled', owed, 0]);
  assert.deepEqual(rows('destinations', 'disable', 'crm', '--why', 'moves "today"'), [{ state: 'disabled', running: true }]);
  assert.deepEqual([crm().state, crm().why], ['disabled', 'moves "today"']);
  const [sequence] = rows('parked', 'list').map((p) => p.sequence);
  rows('parked', 'retry', '--all');
  await until('the journal knows', () => {
    const d = rows('events', 'show', String(sequence))[0].destinations.find((x) => x.name === 'crm');
    return d.state === 'retry' && d.next_attempt && d.destination_state === 'disabled' && d.destination_why === 'moves "today"';
  });
  assert.equal(receiver.calls.length, 0, 'it keeps collecting');
  assert.deepEqual([crm().owed, crm().retrying], [owed, owed]);
  assert.equal(run('destinations', 'drop', 'crm').status, 1);
  for (const args of [['enable'], ['drop', 'crm', '--why', 'x'], ['list', 'crm'], ['start', 'crm']])
    assert.equal(run('destinations', ...args).status, 2, args.join(' '));
  assert.match(run('destinations', 'disable', 'a/b').stderr, /404/);
  rows('destinations', 'enable', 'crm');
  await until('what it was owed comes', () => receiver.calls.length === owed);
  // Taken out of the configuration it may be dropped.
  place.config(text.replace(/^ {2}crm: .*\n/m, '').replace(/^ {2}- \{ name: failures.*\n/m, ''));
  relay.kill('SIGHUP');
  await until('it is detached', () => crm()?.state === 'detached');
  rows('destinations', 'drop', 'crm');
  await until('it is gone', () => !crm());
});

test('without a relay: the journal is read, and changed for the next start', async (t) => {
  const { place, run, rows, receiver, owed, relay } = await allParked(t);
  relay.kill('SIGTERM');
  await relay.exit;
  const crm = () => rows('destinations', 'list').find((d) => d.name === 'crm');
  assert.deepEqual([crm().state, crm().owed, crm().parked], ['enabled', 0, owed]);
  assert.equal(rows('parked', 'list').length, owed);
  const [first] = rows('parked', 'list');
  assert.deepEqual(rows('destinations', 'disable', 'crm', '--why', 'at night'), [{ state: 'disabled', running: false }]);
  assert.deepEqual([crm().state, crm().why], ['disabled', 'at night']);
  const [drop] = rows('parked', 'drop', String(first.sequence)), [retry] = rows('parked', 'retry', '--all');
  assert.deepEqual([drop.state, retry.state, retry.id - drop.id], ['queued', 'queued', 1]);
  for (const args of [['replay', '--to', 'crn', '--all'], ['destinations', 'enable', 'crn']]) {
    const r = run(...args);
    assert.equal(r.status, 2, args.join(' '));
    assert.match(r.stderr, /knows no destination "crn"/);
  }
  assert.match(run('destinations', 'drop', 'crm').stderr, /is in the configuration/);

  // One of two is there: it is taken.
  const some = run('parked', 'retry', '999999', String(first.sequence));
  assert.deepEqual([some.status, JSON.parse(some.stdout).state, some.stderr], [1, 'queued', 'relay parked: the journal holds no event 999999\n']);

  const again = place.relay();
  await until('the jobs are done', () => /relay started/.test(again.stderr) && crm().state === 'disabled' && rows('parked', 'list').length === 0);
  assert.equal(receiver.calls.length, 0);
  const unknown = run('destinations', 'enable', 'crn'); // as above, where nothing runs
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /there is no destination crn/);
  rows('destinations', 'enable', 'crm');
  await until('they come', () => receiver.calls.length === owed - 1);
  again.kill('SIGTERM');
  await again.exit;
  assert.deepEqual([crm().state, crm().owed], ['enabled', 0]);
  // Stopped and started again while nothing runs.
  rows('destinations', 'disable', 'crm');
  rows('destinations', 'enable', 'crm');
  assert.equal(rows('replay', '--to', 'crm', '--all')[0].state, 'queued');
  assert.match(run('status').stderr, /no relay answers/);
  place.relay();
  await until('all come again', () => receiver.calls.length === 2 * owed - 1);
});

test('for people: tables and sentences', async (t) => {
  const { place, receiver, owed, rows } = await allParked(t);
  // The receiver lives in this process, which must not wait for the command.
  const seen = async (...args) => {
    const p = place.start('script', ['-qec', [RELAY, ...args, '-c', place.path('relay.yaml')].join(' '), '/dev/null']);
    await p.exit;
    return p.stdout.replaceAll('\r', '');
  };
  const [first] = rows('parked', 'list');
  const list = (await seen('parked', 'list')).trim().split('\n');
  assert.match(list[0], /^sequence +recorded +destination +type +subject, attempts, why$/);
  assert.ok(list[1].includes(`${first.sequence}  ${first.recorded_at}  crm`) && list[1].endsWith(`${first.subject}  1  404: no such hook`), list[1]);
  assert.equal(list.length, owed + 1);
  assert.match(await seen('parked', 'show', first.sequence), new RegExp(`crm: parked \\(rule "failures"\\)\n.*refused.*404: no such hook\n {2}after 1 attempt: relay parked retry ${first.sequence} --to crm`));
  assert.match(await seen('destinations', 'list'), new RegExp(`crm +enabled +0 +0 +${owed}`));
  await until('it is through with all, though most was not for it', async () => new RegExp(`^crm +http +enabled +0 +0 +0 +${owed}$`, 'm').test(await seen('status')));
  assert.match(await seen('parked', 'retry', first.id, '--dry-run'), /^1 event would be tried again\n/);
  assert.match(await seen('parked', 'retry', first.id), /1 event is due again\n/);
  assert.match(await seen('parked', 'retry', '--all', '--no-wait'), /^(\d+ events? (is|are) due again; )?job \d+ is (queued|running)\n/);
  await until('all came', () => receiver.calls.length === owed);
  assert.match(await seen('replay', '--to', 'crm', '--all'), new RegExp(`${owed} events are due once more\n`));
  assert.match(await seen('parked', 'list'), /^nothing is parked\n/);
  assert.match(await seen('destinations', 'disable', 'crm'), /^crm is disabled\n/);
});

test('without a relay: a detached destination is dropped', async (t) => {
  const { place, rows, relay, text } = await allParked(t);
  relay.kill('SIGTERM');
  await relay.exit;
  place.config(text.replace(/^ {2}crm: .*\n/m, '').replace(/^ {2}- \{ name: failures.*\n/m, ''));
  const detaching = place.relay();
  await until('it has begun', () => /relay started/.test(detaching.stderr));
  await until('it is detached', () => rows('destinations', 'list').some((d) => d.name === 'crm' && d.state === 'detached'));
  detaching.kill('SIGTERM');
  await detaching.exit;
  rows('destinations', 'drop', 'crm');
  assert.deepEqual(rows('destinations', 'list').map((d) => d.name), ['file']);
  assert.equal(rows('parked', 'list').length, 0);
});

test('a relay that runs without an admin section: reading works, the rest says why not', async (t) => {
  const { run, rows, owed, relay } = await allParked(t, { admin: false });
  assert.equal(rows('parked', 'list').length, owed);
  assert.equal(rows('destinations', 'list').find((d) => d.name === 'crm').parked, owed);
  for (const args of [['parked', 'retry', '--all'], ['replay', '--to', 'crm', '--all'], ['destinations', 'disable', 'crm']]) {
    const r = run(...args);
    assert.equal(r.status, 1, args.join(' '));
    assert.match(r.stderr, new RegExp(`locked by another relay \\(pid ${relay.pid}\\), and .*no admin section.*add "admin: \\{\\}"`));
  }
});

test('an event that waits behind another of its recipient says so', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '40', '--ramp', '5s', '--speed', '30', '--rate-limit', '0']);
  const receiver = await place.receiver(() => ({ status: 503, headers: { 'retry-after': '3600' }, body: 'later' }));
  place.config(`${sourceConfig(sim)}journal: { sqlite: { path: relay.db } }
destinations: { crm: { http: { url: "${receiver.url}/hook" } } }
rules: [{ name: all, to: [crm] }]
`);
  place.relay();
  await until('calls come', () => receiver.calls.length > 5);
  await sim.post('/sim/step?ms=600000');
  const show = (s) => command(['events', 'show', String(s), '-c', place.path('relay.yaml'), '--json']);
  const waiting = await until('one waits', () => {
    for (let s = 1; s < 120; s++) {
      const r = show(s);
      if (r.status === 0 && JSON.parse(r.stdout).destinations[0]?.state === 'waiting') return JSON.parse(r.stdout);
    }
    return null;
  });
  const { behind } = waiting.destinations[0];
  const before = JSON.parse(show(behind).stdout);
  assert.equal(before.event.partitionkey, waiting.event.partitionkey);
  assert.ok(behind < Number(waiting.event.sequence));
  const [blocking] = before.destinations;
  assert.deepEqual([blocking.state, blocking.held, blocking.attempts[0].verdict], ['retry', true, 'try again']);
  assert.ok(Date.parse(blocking.next_attempt) - Date.now() > 3000000, 'Retry-After is obeyed');
});
