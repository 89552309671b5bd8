// relay test: tests of rules as an author writes and reads them, and as CI does.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Place, ROOT, command } from './harness.mjs';

const RULES = `rules:
  - { name: all, to: bus }
  - { name: failures, when: { type: [recipient.failed] }, to: crm, body: '{"who": "{{data.recipient_id}}"}' }
`;
const TESTS = `${RULES}
tests:
  - name: passes
    steps:
      - recipients: [{ id: rcp_1, integration_id: twilio, is_failed: true, is_failed_at: -1s }]
        expect:
          events: [{ type: recipient.added }, { type: recipient.failed, time: 2025-12-31T23:59:59Z, data: { state: failed } }]
          routes:
            - { type: recipient.added, to: bus, rule: all, topic: recipient.added.twilio.bc_1 }
            - { type: recipient.failed, to: bus }
            - { type: recipient.failed, to: crm, rule: failures }
          callbacks: [{ to: crm, body: { who: rcp_1 } }]
          alerts: []
  - name: 'fails & "<tells>" #1'
    steps:
      - name: first look
        recipients: [{ id: rcp_1, is_failed: true }]
        expect: { routes: [{ type: recipient.added }, { type: recipient.failed, to: bus }, { type: recipient.failed, to: crm, rule: failres }] }
`;
const run = (place, text, args = [], options = {}) => command(['test', ...args, place.write('a.test.yaml', text)], options);

test('what differs is told beside what was meant', (t) => {
  const r = run(new Place(t), TESTS);
  assert.equal(r.status, 1, r.stderr);
  assert.match(r.stdout, /a\.test\.yaml\n {2}ok {6}passes\n {2}FAILED {2}fails & "<tells>" #1 \(\S+a\.test\.yaml:17\)\n/);
  assert.match(r.stdout, / step 1 \(first look\), routes \(line 21\): 3 expected, 3 came\n/);
  assert.match(r.stdout, / {6}- \{ type: recipient\.failed, to: crm, rule: failres \}\n {6}\+ \{ type: recipient\.failed, to: crm, rule: failures \}\n1 passed, 1 failed\n$/);
});

test('the exit status is 0 when all pass, 1 when one fails, 2 for usage, 78 for a bad file', (t) => {
  const place = new Place(t);
  assert.equal(run(place, TESTS, ['-t', 'passes']).status, 0);
  assert.equal(run(place, TESTS).status, 1);
  assert.equal(run(place, TESTS, ['-t', 'no such']).status, 1);
  assert.equal(command(['test']).status, 2);
  assert.equal(run(place, TESTS, ['--format', 'xml']).status, 2);
  assert.equal(run(place, TESTS, ['--format', 'tap', '--show']).status, 2);
  assert.equal(run(place, 'tests: []\n').status, 78);
  assert.equal(command(['test', place.path('none.yaml')]).status, 78);
  const both = command(['test', place.write('b.test.yaml', TESTS), place.path('none.yaml')]);
  assert.equal(both.status, 78);
  assert.match(both.stdout, /1 passed, 1 failed, 1 bad file\n$/);
});

test('TAP 14: a plan, a line a test, what differs in a block', (t) => {
  const place = new Place(t);
  const lines = run(place, TESTS, ['--format', 'tap']).stdout.split('\n');
  assert.deepEqual(lines.slice(0, 2), ['TAP version 14', '1..2']);
  assert.match(lines[2], /^ok 1 - \S+a\.test\.yaml: passes$/);
  assert.match(lines[3], /^not ok 2 - \S+a\.test\.yaml: fails & "<tells>" \\#1$/);
  assert.deepEqual([lines[4], lines.at(-2)], ['  ---', '  ...']);
  assert.ok(lines.slice(5, -2).every((l) => l.startsWith('  ')));
  const bad = run(place, 'tests: [\n', ['--format', 'tap']).stdout;
  assert.match(bad, /^TAP version 14\n1\.\.1\nnot ok 1 - \S+: can be read\n/);
});

test('JUnit: on standard output, or in a file besides', (t) => {
  const place = new Place(t);
  const file = place.path('report.xml');
  const r = run(place, TESTS, ['--junit', file]);
  assert.equal(r.status, 1);
  assert.match(r.stdout, /1 passed, 1 failed\n$/);
  const same = run(place, TESTS, ['--format', 'junit']).stdout;
  const xml = readFileSync(file, 'utf8');
  const untimed = (s) => s.replace(/ time="[0-9.]+"/g, '');
  assert.equal(untimed(xml), untimed(same));
  assert.match(xml, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="relay test" tests="2" failures="1" errors="0">\n/);
  assert.match(xml, /<testcase name="fails &amp; &quot;&lt;tells&gt;&quot; #1" classname="\S+a\.test\.yaml" file="\S+" line="17" time="[0-9.]+">\n {6}<failure message="step 1 \(first look\), routes \(line 21\): 3 expected, 3 came">[^<]*- \{ type: recipient\.failed, to: crm, rule: failres \}[^<]*<\/failure>/);
  assert.match(run(place, 'tests: x\n', ['--format', 'junit']).stdout, /errors="1"[\s\S]*<error message="bad file">[^<]*a\.test\.yaml:1:8: /);
  const none = run(place, TESTS, ['-t', 'passes', '--junit', place.path('no/where.xml')]);
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no\/where\.xml: /);
});

test('JSON: an object a test, and the totals', (t) => {
  const place = new Place(t);
  const [first, second, totals] = run(place, TESTS, ['--json']).stdout.trim().split('\n').map(JSON.parse);
  assert.deepEqual([first.name, first.ok, first.failures], ['passes', true, []]);
  assert.equal(second.ok, false);
  const [failure] = second.failures;
  assert.deepEqual([failure.step, failure.kind, failure.line, failure.expected, failure.got], [1, 'routes', 21, 3, 3]);
  assert.deepEqual(failure.differences, [{ expected: { type: 'recipient.failed', to: 'crm', rule: 'failres' },
    got: { type: 'recipient.failed', subject: 'rcp_1', to: 'crm', rule: 'failures', topic: 'recipient.failed.-.bc_1' } }]);
  assert.deepEqual(totals, { passed: 1, failed: 1, bad_files: 0 });
});

test('--show says what came so that it can be pasted', (t) => {
  const place = new Place(t);
  const shown = run(place, TESTS, ['-t', 'passes', '--show']).stdout;
  const lists = /step 1\n([\s\S]*?)\n1 passed/.exec(shown)[1].split('\n').map((l) => l.slice(2)).join('\n');
  const pasted = `${RULES}\ntests:\n  - name: pasted\n    steps:\n      - recipients: [{ id: rcp_1, integration_id: twilio, is_failed: true, is_failed_at: -1s }]\n    expect:\n${lists}\n`;
  const r = run(place, pasted);
  assert.equal(r.status, 0, r.stdout + r.stderr);
});

test('mistakes in a file are told at once, each with its place and the nearest name', (t) => {
  const r = run(new Place(t), `${RULES}
clok: 2026-01-01T00:00:00Z
tests:
  - name: a
    step: []
    steps: [{ wait: 5 minutes, recipents: [], expect: { route: [], callbacks: [{ too: crm }], events: {} } }]
  - { name: a, steps: [{ wait: 1s }] }
  - { name: b, steps: [{ recipients: [{ id: 1..0 }, {}], expect: { events: [] } }], since: once }
`);
  assert.equal(r.status, 78);
  for (const line of [/:5:1: clok: unknown key; did you mean "clock"\?/, /:8:5: tests\[0\]\.step: .*"steps"/,
    /:9:21: tests\[0\]\.steps\[0\]\.wait: must be a duration/, /recipents: unknown key; did you mean "recipients"/,
    /expect\.route: unknown key; did you mean "routes"/, /callbacks\[0\]\.too: unknown key; did you mean "to"/,
    /expect\.events: a list is expected/, /:10:5: tests\[1\]: expects nothing/, /tests\[1\]\.name: test 1 has the name "a"/,
    /tests\[2\]\.since: now, all, or a time/])
    assert.match(r.stdout, line);
  const configuration = run(new Place(t), 'source: { api_key: "${KEY}" }\njournal: {}\n');
  assert.match(configuration.stdout, /KEY is not set[\s\S]*journal: unknown key[\s\S]*tests is missing/, 'a configuration in place of tests');
});

test('mistakes in what the API shows are told with their place', (t) => {
  const place = new Place(t);
  const r = run(place, `${RULES}
tests:
  - name: a
    steps:
      - recipients: [{ is_sent: true }, { id: 5..1 }, { id: r, is_sent: 5 }]
        removed: [nobody]
        event: { typ: x, time: soon }
      - expect: { events: [] }
`);
  assert.equal(r.status, 78);
  for (const line of [/:8:22: .*recipients\[0\]: a row with an id is expected/, /"5\.\.1" is no range/, /a flag that is no boolean/,
    /removed\[0\]: no such recipient or broadcast/, /event\.typ: unknown key; did you mean "type"/, /event\.time: a time such as/])
    assert.match(r.stdout, line);
  const warned = run(place, `${RULES}
tests: [{ name: a, steps: [{ recipients: [{ id: r, is_faild: true, is_failed_at: 2031-01-01T00:00:00Z }], expect: { alerts: [] } }] }]
`);
  assert.equal(warned.status, 0);
  assert.match(warned.stderr, /warning: \S+:5:\d+: .*is_faild: .*did you mean "is_failed"/);
  assert.match(warned.stderr, /warning: \S+:5:\d+: .*is_failed_at: lies ahead/);
});

// A configuration of another machine: its secrets, files and addresses are none of the tests'.
const CONFIG = `source: { api_key: "\${KEY}", api_key_file: /none }
journal: { sqlite: { path: "\${DB}" } }
admin: { listen: "\${ADMIN}" }
destinations:
  bus: { nng: { listen: ["\${BUS}"] } }
  crm: { http: { url: "\${CRM:-https://crm.example.com/}", secret_file: /none, ca_file: /none, headers: { X-Team: "\${TEAM}", Authorization: Bearer t0psecret },
                 body: '{"key": "{{params.key}}", "team": "{{params.team}}", "who": {{json data.recipient_id}}}', params: { key_file: /none, team: "\${TEAM}" } } }
  off: { enabled: false, http: { url: "\${OFF}" } }
rules: [{ name: all, to: [bus, crm, off] }]
`;

test('a configuration is tested without its secrets, and sees no variables but the test\'s', (t) => {
  const place = new Place(t);
  place.write('relay.yaml', CONFIG);
  const one = (env, expected) => `config: relay.yaml\n${env}
tests: [{ name: a, since: now, steps: [{ recipients: [{ id: r, is_sent: true, is_sent_at: now }], expect: { callbacks: ${expected} } }] }]\n`;
  const env = { ...process.env, TEAM: 'from outside', CRM: 'https://outside.example/' };
  const unset = run(place, one('', '[{ to: crm, url: https://crm.example.com/, headers: { x-team: ~, authorization: ~ }, body: { key: key, team: team, who: r } }]'), [], { env });
  assert.equal(unset.status, 0, unset.stdout + unset.stderr);
  const set = run(place, one('env: { TEAM: red, CRM: https://x.example/ }', '[{ url: https://x.example/, headers: { x-team: red }, body: { team: red } }]'), [], { env });
  assert.equal(set.status, 0, set.stdout + set.stderr);
  assert.ok(!run(place, one('', '[]'), ['--json'], { env }).stdout.match(/t0psecret|outside/));
});

test('a variable that a rule needs must be there', (t) => {
  const place = new Place(t);
  place.write('relay.yaml', CONFIG.replace('name: all', 'name: "${RULE}"'));
  const text = 'config: relay.yaml\ntests: [{ name: a, steps: [{ wait: 1s, expect: { routes: [] } }] }]\n';
  const r = run(place, text);
  assert.equal(r.status, 78);
  assert.deepEqual(r.stdout.match(/variable \w+ is not set/g), ['variable RULE is not set']);
  assert.equal(run(place, `env: { RULE: all }\n${text}`).status, 0);
});

test('-c tests another configuration, and its mistakes are told', (t) => {
  const place = new Place(t);
  const other = place.write('new.yaml', 'source: { api_key: k }\ndestinations: { log: { stdout: {} } }\nrules: [{ name: all, to: [lgo] }]\n');
  const r = run(place, TESTS, ['-c', other]);
  assert.equal(r.status, 78);
  assert.match(r.stdout, /new\.yaml:3:27: .*no destination "lgo"; did you mean "log"/);
});

test('time: what is told again, what is over, what did not come, what was seen late', (t) => {
  const r = run(new Place(t), `
rules:
  - { name: storm, to: pager, when: { type: [recipient.failed] }, alert: { per: [data.broadcast_id], within: 5m, count: 3, resolve_after: 10m, repeat: 4m } }
  - { name: silent, to: pager, when: { type: [recipient.sent] }, alert: { per: [data.recipient_id], within: 15m, absent: { type: [recipient.delivered] } } }
clock: 2026-11-22T10:00:00Z
tests:
  - name: a storm
    steps:
      - recipients: [{ id: a_1..3, is_failed: true, is_failed_at: now }]
        expect:
          routes: [{ type: alert.firing, to: pager, rule: storm }]
          alerts: [{ type: alert.firing, subject: storm, time: 2026-11-22T10:00:00Z, data: { count: 3, key: { broadcast_id: bc_1 } } }]
      - { wait: 9m, expect: { alerts: [{ type: alert.updated, recordedtime: 2026-11-22T10:04:00Z }, { type: alert.updated }] } }
      - { wait: 1h, expect: { alerts: [{ type: alert.resolved, time: 2026-11-22T10:10:00Z }] } }
  - name: silence
    steps:
      - recipients: [{ id: a, is_sent: true, is_sent_at: now }, { id: b, is_sent: true, is_sent_at: now }]
      - { wait: 14m, expect: { alerts: [] } }
      - wait: 10m
        recipients: [{ id: a, is_delivered: true, is_delivered_at: -12m }]
        expect: { alerts: [{ type: alert.firing, subject: silent, data: { key: { recipient_id: b } } }] }
`);
  assert.equal(r.status, 0, r.stdout + r.stderr);
});

test('rows and entries are merged over what was shown before; what is gone is told once', (t) => {
  const r = run(new Place(t), `
rules: [{ name: all, to: x }]
source: { updates: true }
tests:
  - name: life
    steps:
      - broadcast: { id: b1, name: Launch, status: SENDING, click_count: 1 }
        recipients: [{ id: r, integration_id: twilio, is_sent: true, contact: { id: c, name: Ann } }]
        known: true
        expect: { events: [], routes: [] }
      - broadcast: { id: b1, click_count: 3 }
        expect: { events: [{ type: broadcast.clicked, data: { broadcast_name: Launch, delta: 2 } }] }
      - recipients: [{ id: r, name: Bob }]
        expect: { events: [{ type: recipient.updated, data: { integration_id: twilio, recipient: { is_sent: true, contact: { name: Ann } } } }] }
      - recipients: [{ id: r, is_sent: false }]
        expect: { events: [{ type: recipient.reverted, data: { state: sent } }] }
      - removed: [r, b1]
        expect: { events: [{ type: recipient.removed, subject: r }, { type: broadcast.removed, subject: b1 }] }
      - event: { type: relay.source.down, sequence: "0000000000000099", data: { why: gone } }
        expect: { events: [], routes: [{ type: relay.source.down, to: x, topic: relay.source.down.-.- }] }
    expect: { routes: 6 }
`);
  assert.equal(r.status, 0, r.stdout + r.stderr);
});

test('a year of tests at once stays within its bounds', (t) => {
  const place = new Place(t);
  const r = run(place, `
rules: [{ name: a, to: [x, y, z] }, { name: b, to: q }]
tests: [{ name: a, steps: [{ recipients: [{ id: r1..20000, is_sent: true, is_delivered: true, is_opened: true }] }], expect: { alerts: [] } }]
`);
  assert.equal(r.status, 78);
  assert.match(r.stdout, /more than 100000 events, routes and callbacks, or 256 MiB of them/);
  const rows = run(place, `
rules: [{ name: a, to: x }]
tests: [{ name: a, steps: [{ recipients: [{ id: r1..15000 }, { id: s1..15000 }] }], expect: { alerts: [] } }]
`);
  assert.equal(rows.status, 78);
  assert.match(rows.stdout, /more than 20000 recipients in one test/);
});

test('the schema of a file knows its keys', () => {
  const schema = JSON.parse(command(['schema', '--tests']).stdout);
  const [file] = schema.allOf;
  assert.deepEqual(Object.keys(file.properties), ['config', 'rules', 'source', 'destinations', 'env', 'clock', 'since', 'tests']);
  const { items } = schema.properties.tests;
  assert.ok(items.allOf[0].properties.steps && items.allOf[0].required.includes('name'));
  const step = items.properties.steps.items;
  assert.ok(step.allOf[0].properties.wait);
  for (const expect of [items.properties.expect, step.properties.expect])
    assert.deepEqual(Object.keys(expect.properties), ['events', 'routes', 'callbacks', 'alerts']);
});

test('each example in examples/rules passes its tests, and each rule file there has some', () => {
  const folder = join(ROOT, 'examples/rules');
  const files = readdirSync(folder).filter((f) => f.endsWith('.yaml'));
  const tests = files.filter((f) => f.endsWith('.test.yaml'));
  for (const file of files.filter((f) => !tests.includes(f)))
    assert.ok(existsSync(join(folder, file.replace(/\.yaml$/, '.test.yaml'))), `${file} has no tests`);
  const r = command(['test', ...tests.map((f) => join(folder, f))]);
  assert.equal(r.status, 0, r.stdout + r.stderr);
  assert.equal(dirname(r.stdout.split('\n')[0]), folder);
});

test('the documentation\'s test is one that runs, and what it shows is what is printed', (t) => {
  const place = new Place(t);
  const doc = readFileSync(join(ROOT, 'docs/rule-tools.md'), 'utf8');
  const [, file] = /^```yaml\n(# failures\.test\.yaml\n[\s\S]*?)^```/m.exec(doc);
  const [, printed] = /^```\n(failures\.test\.yaml\n[\s\S]*?)^```/m.exec(doc);
  const config = (rule) => `source: { api_key: k }
destinations: { bus: { nng: { listen: ["ipc:///x"] } }, crm: { http: { url: https://crm.example.com/ } } }
rules: [{ name: all, to: bus }, { name: ${rule}, when: { type: [recipient.failed] }, to: crm }]\n`;
  place.write('failures.test.yaml', file);
  place.write('relay.yaml', config('failures'));
  const good = command(['test', 'failures.test.yaml'], { cwd: place.dir });
  assert.equal(good.status, 0, good.stdout + good.stderr);
  place.write('relay.yaml', config('failures on the phone'));
  assert.equal(command(['test', 'failures.test.yaml'], { cwd: place.dir }).stdout, printed);
});
