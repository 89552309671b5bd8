// The tools of who writes rules: explain, backtest, and what check warns of.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Place, RELAY, command, sourceConfig, until } from './harness.mjs';

const event = {
  specversion: '1.0', id: 'evt_1', type: 'recipient.failed', source: 'x', subject: 'r1', time: '2026-11-22T10:00:00Z',
  recordedtime: '2026-11-22T10:00:01Z', sequence: '0000000000000007', partitionkey: 'r1', datacontenttype: 'application/json',
  data: { broadcast_id: 'bc 1', integration_id: 'gmail', error_message: 'no such user', recipient: { tags: [{ k: 'a' }, { k: 'b' }] } },
};

const rules = `
rules:
  - { name: everything, to: [bus] }
  - name: phone
    when: { type: [recipient.failed], data: { integration_id: [twilio, telnyx] } }
    to: [crm]
  - { name: off, enabled: false, to: [crm] }
  - name: mail
    when: { $or: [{ data: { integration_id: gmail } }, { data: { error_message: [{ wildcard: "*spam*" }] } }] }
    to: [bus, crm]
    stop: true
  - { name: storm, when: { type: recipient.failed }, alert: { within: 1m, count: 3 }, to: [crm] }
  - { name: last, when: { type: recipient.failed }, to: [log] }
`;
// Secrets that are not in this environment are no reason not to answer.
const destinations = `
destinations:
  bus: { nng: { listen: ["tcp://127.0.0.1:5555"] } }
  crm: { http: { url: "\${NONE}", secret: "\${NONE}" } }
  log: { stdout: {} }
`;
const config = `source: { api_key: "\${NONE}" }\n${destinations}${rules}`;
const lines = (r) => r.stdout.split('\n').filter(Boolean).map((l) => JSON.parse(l));
// As in a terminal: what a person sees.
const inTerminal = (args) => spawnSync('script', ['-qec', [RELAY, ...args].join(' '), '/dev/null'], { encoding: 'utf8' });

test('explain says of each rule which condition failed, and where the event goes', (t) => {
  const place = new Place(t);
  const file = place.write('event.json', JSON.stringify(event, null, 2)), yaml = place.config(config);
  const r = command(['explain', '-c', yaml, file]);
  assert.equal(r.status, 0, r.stderr);
  const said = lines(r);
  assert.deepEqual(said.slice(0, -1).map((l) => [l.rule, l.name, l.enabled, l.tried, l.matches, l.to.join()]), [
    [1, 'everything', true, true, true, 'bus'], [2, 'phone', true, true, false, ''], [3, 'off', false, false, true, ''],
    [4, 'mail', true, true, true, 'crm'], [5, 'storm', true, true, true, ''], [6, 'last', true, false, true, '']]);
  assert.deepEqual(said[1].conditions, [
    { alternative: 0, path: 'data.integration_id', holds: false, wanted: ['twilio', 'telnyx'], seen: 'gmail', note: null },
    { alternative: 0, path: 'type', holds: true, wanted: ['recipient.failed'], seen: 'recipient.failed', note: null }]);
  assert.deepEqual(said[3].conditions.map((c) => [c.alternative, c.holds]), [[0, true], [1, false]]);
  assert.deepEqual(said.at(-1), { event: 'evt_1', type: 'recipient.failed', stopped_by: 'mail', left_out: null, routes: [
    { destination: 'bus', rule: 'everything', topic: 'recipient.failed.gmail.bc%201' },
    { destination: 'crm', rule: 'mail', topic: null }] });
});

test('explain is for people in a terminal', (t) => {
  const place = new Place(t);
  const file = place.write('event.json', JSON.stringify(event)), yaml = place.config(config);
  const out = inTerminal(['explain', '-c', yaml, file]).stdout.replaceAll('\r', '');
  for (const line of ['1 ✓ everything → bus', '2 ✗ phone', '✗ data.integration_id  "gmail"; wanted: ["twilio","telnyx"]',
    '✓ type                 "recipient.failed"', '3 – off: not enabled', '4 ✓ mail → crm, and ends the list', 'either', 'or',
    '✗ data.error_message   "no such user"; wanted: [{"wildcard":"*spam*"}]', '5 ✓ storm: counts it',
    '6 – last: not tried, rule 4 ended the list', 'It goes to', 'bus, by rule "everything", topic recipient.failed.gmail.bc%201',
    'crm, by rule "mail"'])
    assert.ok(out.split('\n').some((l) => l.trim() === line), `${line}\n${out}`);
});

test('explain leaves out the destination that an event is about', (t) => {
  const place = new Place(t);
  const yaml = place.config(`source: { api_key: k }\ndestinations:\n  a: { stdout: {} }\n  b: { stdout: { path: b } }\nrules: [{ name: ops, to: [a, b] }]\n`);
  const parked = (name) => JSON.stringify({ type: 'relay.parked', subject: name, data: { destination: name } });
  const last = (name) => lines(command(['explain', '-c', yaml, '-'], { input: parked(name) })).pop();
  assert.deepEqual([last('b').left_out, last('b').routes.map((r) => r.destination)], ['b', ['a']]);
  assert.deepEqual([last('other').left_out, last('other').routes.length], [null, 2]);
  assert.match(inTerminal(['explain', '-c', yaml, place.write('parked.json', parked('a'))]).stdout, /It goes to\r?\n {2}b, by rule "ops"\r?\nNever to a, which it is about\.\r?\n$/);
});

test('explain takes an event from standard input, and one rule', (t) => {
  const place = new Place(t);
  const yaml = place.config(config);
  const r = command(['explain', '-c', yaml, '--rule', 'last', '-'], { input: JSON.stringify(event) });
  assert.equal(r.status, 0, r.stderr);
  assert.deepEqual(lines(r).map((l) => l.name), ['last', undefined]);
  for (const [args, text] of [[['-'], /not JSON at byte 0|not JSON/], [['none.json'], /none\.json: No such file/], [['5'], /relay\.db/],
    [['-r', 'x', '-'], /no rule "x"/]]) {
    const bad = command(['explain', '-c', yaml, ...args], { input: '{' });
    assert.notEqual(bad.status, 0);
    assert.match(bad.stderr, text);
  }
  assert.match(command(['explain', '-c', yaml, '-'], { input: '[]' }).stderr, /an object with a "type"/);
  for (const [from, to] of [['wildcard', 'wildcrd'], ['rules:', 'rulez:']])
    assert.equal(command(['explain', '-c', place.config(config.replace(from, to)), '-'], { input: '{}' }).status, 78, to);
});

test('an element of an array that the others did not choose is told', (t) => {
  const place = new Place(t);
  const yaml = place.config(config + '  - { name: a, when: { data: { recipient: { tags: { k: [a], v: [1] } } } }, to: [log] }\n');
  const tags = { ...event, data: { recipient: { tags: [{ k: 'a' }, { k: 'b', v: 1 }] } } };
  const [rule] = lines(command(['explain', '-c', yaml, '-r', 'a', '-'], { input: JSON.stringify(tags) }));
  assert.equal(rule.matches, false);
  assert.match(rule.conditions[0].note, /not in one element/);
});

// A journal with the events of a small campaign, routed to two files; the relay may still run.
async function past(t, ruleLines) {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '40', '--kind', 'sms', '--rate-limit', '0', '--ramp', '1s', '--speed', '60']);
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations: { all: { stdout: { path: all.ndjson } }, some: { stdout: { path: some.ndjson } } }
rules:
${ruleLines.join('\n')}
`);
  const relay = place.relay();
  await until('deliveries are told', () => place.read('all.ndjson').split('\n').filter((l) => l.includes('"recipient.delivered"')).length >= 20);
  return { place, relay, yaml: place.path('relay.yaml') };
}

const backtest = (yaml, tried, ...more) => command(['backtest', '-c', yaml, '--rules', tried, ...more]);

test('backtest compares other rules with what was sent', async (t) => {
  const { place, relay, yaml } = await past(t, ['  - { name: all, to: [all] }', '  - { name: sent, when: { type: recipient.sent }, to: [some] }']);
  const running = lines(backtest(yaml, yaml)).at(-1); // beside a relay that runs
  assert.equal(running.more + running.less, 0);
  relay.kill();
  await relay.exit;
  const events = lines(command(['events', 'list', '-c', yaml, '--after', '0', '--limit', '0']));
  const count = (type) => events.filter((e) => e.type === type).length;
  const tried = place.write('new.yaml', `
rules:
  - { name: all, when: { type: [{ anything-but: recipient.added }] }, to: [all] }
  - { name: delivered, when: { type: recipient.delivered }, to: [some] }
  - { name: storm, when: { type: recipient.sent }, alert: { within: 1h, count: 5 }, to: [some] }
`);
  const r = backtest(yaml, tried, '--fail-above', '99999%');
  assert.equal(r.status, 0, r.stderr);
  const said = lines(r);
  const row = (rule, destination) => said.find((l) => l.rule === rule && l.destination === destination);
  const all = events.length, added = count('recipient.added'), sent = count('recipient.sent'), delivered = count('recipient.delivered');
  const storm = row('storm', 'some').would_be;
  assert.ok(added && sent && delivered && storm);
  assert.deepEqual(row('delivered', 'some'), { rule: 'delivered', destination: 'some', was: 0, would_be: delivered, more: delivered, less: 0, alerts: false });
  assert.deepEqual(row('sent', 'some'), { rule: 'sent', destination: 'some', was: sent, would_be: 0, more: 0, less: sent, alerts: false });
  assert.equal(row('all', 'all').was, all);
  assert.equal(row('all', 'all').less, added);
  assert.deepEqual(said.find((l) => l.alert), { alert: 'storm', fired: 0, would_fire: 1 });
  assert.equal(said.at(-1).events, all);
  assert.equal(said.at(-1).was, all + sent);
  assert.equal(said.at(-1).less, added + sent);

  assert.equal(backtest(yaml, tried, '--fail-above', '1%').status, 1);
  assert.equal(backtest(yaml, yaml, '--fail-above', '0%').status, 0);
  assert.equal(lines(backtest(yaml, tried, '--since', '2h')).at(-1).events, all);
  assert.equal(lines(backtest(yaml, tried, '--since', '2099-01-01')).at(-1).events, 0);
  const shown = inTerminal(['backtest', '-c', yaml, '--rules', tried]).stdout;
  assert.match(shown, /rule +destination +was +would be +more +less/);
  assert.match(shown, new RegExp(`sent +some +${sent} +0 +0 +${sent}\r?\n`));
  assert.match(shown, /storm +0 +1\r?\n/);
  assert.match(shown, /storm +some +0 .* with alerts\r?\n/);

  const { id, sequence } = events.at(-1);
  const [byId, bySequence] = [id, String(Number(sequence))].map((e) => command(['explain', '-c', yaml, e]).stdout);
  assert.equal(byId, bySequence);
  assert.equal(byId.trim().split('\n').map((l) => JSON.parse(l)).at(-1).event, id);
  assert.match(command(['explain', '-c', yaml, 'evt_none']).stderr, /the journal holds no event evt_none/);
});

test('backtest says what it cannot do', (t) => {
  const place = new Place(t);
  const yaml = place.config(config), tried = place.write('new.yaml', rules);
  assert.match(command(['backtest', '-c', yaml]).stderr, /--rules FILE is missing/);
  for (const more of [['--since', 'soon'], ['--fail-above', '5'], ['--fail-above', 'x%'], ['--fail-above', '1..2%']])
    assert.equal(backtest(yaml, tried, ...more).status, 2, more.join(' '));
  const none = backtest(yaml, tried);
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no journal there/);
  const bad = backtest(yaml, place.write('bad.yaml', 'rules: [{ name: a, to: [nowhere] }]\n'));
  assert.equal(bad.status, 78);
  assert.match(bad.stderr, /bad\.yaml:1:\d+: .*no destination "nowhere"/);
  const slip = backtest(yaml, place.write('slip.yaml', 'rulez: [{ name: a, to: [log] }]\n'));
  assert.equal(slip.status, 78, 'it is not taken for a file without rules');
  assert.match(slip.stderr, /rulez: unknown key; did you mean "rules"\?[\s\S]*rules is missing/);
});

test('check warns of rules that do nothing', (t) => {
  const place = new Place(t);
  const r = command(['check', place.write('a.yaml', [
    'source: { api_key: k }', 'destinations: { out: { stdout: {} }, log: { stdout: {} } }', 'rules:',
    '  - { name: stop, to: [out], when: { type: [recipient.failed] }, stop: true }',
    '  - { name: late, to: [log], when: { type: [recipient.failed], data: { integration_id: twilio } } }',
    '  - { name: never, to: [log], when: { type: [message.failed] } }',
    '  - { name: number, to: [log], when: { type: recipient.sent, data: { broadcast_id: [17] } } }',
    '  - { name: sent, to: [log], when: { type: recipient.sent } }',
    '  - { name: again, to: [out, log], when: { type: recipient.sent, data: { integration_id: twilio } } }', ''].join('\n'))]);
  assert.equal(r.status, 0, r.stderr);
  const warnings = r.stderr.split('\n').filter((l) => l.startsWith('warning: ')).map((l) => l.replace(/.*a\.yaml:/, ''));
  assert.equal(warnings.length, 4, r.stderr);
  assert.match(warnings[0], /^5:5: rules\[1\]: is never tried: rule 1 "stop" stops at each of its events$/);
  assert.match(warnings[1], /^6:5: rules\[2\]: can never match: type: every type begins with recipient\., /);
  assert.match(warnings[2], /^7:5: rules\[3\]: can never match: data\.broadcast_id is always a text$/);
  assert.match(warnings[3], /^9:30: rules\[5\]\.to\[1\]: has no effect: rule 5 "sent" sends each of these events there$/);
});
