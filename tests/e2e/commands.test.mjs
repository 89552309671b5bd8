// The commands as a person uses them: what they print, where, and with which exit status.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { FAST, KEY, Place, RELAY, command, sleep, sourceConfig, until } from './harness.mjs';

test('relay alone lists the commands and says that it was used wrongly', () => {
  const r = command([]);
  assert.equal(r.status, 2);
  assert.match(r.stderr, /usage: relay COMMAND/);
  for (const name of ['run', 'check', 'test', 'explain', 'backtest', 'init', 'options', 'schema', 'status', 'events', 'rows', 'parked', 'replay', 'destinations', 'probe', 'plan', 'subscribe', 'receive', 'send-test', 'sign', 'verify', 'version'])
    assert.match(r.stderr, new RegExp(`^  ${name} `, 'm'));
});

test('each command has --help with an example', () => {
  const names = [...command(['--help']).stdout.matchAll(/^ {2}([a-z-]+) /gm)].map((m) => m[1]);
  assert.ok(names.length >= 15);
  for (const name of names) {
    const r = command([name, '--help']);
    assert.equal(r.status, 0, name);
    assert.match(r.stdout, /\nexample:\n {2}relay /, name);
  }
});

test('an unknown command, flag or operand is named', () => {
  assert.match(command(['chekc']).stderr, /no command "chekc"/);
  const flag = command(['check', '--jsn']);
  assert.equal(flag.status, 2);
  assert.match(flag.stderr, /unknown flag --jsn/);
  assert.equal(command(['version', 'now']).status, 2);
  assert.match(command(['check', '-c']).stderr, /needs a value/);
  assert.match(command(['chekc']).stderr, /did you mean "check"/);
  for (const args of [['run', '-c', 'none.yaml', '--log-level', 'loud'], ['receive', '--secret', 'whsec_zz'],
    ['check', 'a.yaml', '-c', 'b.yaml'], ['subscribe', 'tcp://127.0.0.1:1']])
    assert.equal(command(args).status, 2, args.join(' '));
  assert.match(command(['subscribe', 'tcp://127.0.0.1:1']).stderr, /a TOPIC is missing/);
});

test('help NAME is NAME --help', () => {
  assert.equal(command(['help', 'check']).stdout, command(['check', '--help']).stdout);
  assert.equal(command(['help', 'chekc']).status, 2);
});

test('output that does not fit is a failure', () => {
  for (const args of [['options'], ['schema'], ['version'], ['init', '-'], ['--help']]) {
    const full = openSync('/dev/full', 'w');
    const r = command(args, { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    assert.equal(r.status, 1, args.join(' '));
    assert.match(r.stderr, /standard output: /);
  }
});

test('init writes a configuration that check accepts, and never over a file', (t) => {
  const place = new Place(t);
  const file = place.path('relay.yaml');
  assert.equal(command(['init', file]).status, 0);
  const checked = command(['check', file], { env: { ...process.env, INVENT_API_KEY: 'k' } });
  assert.equal(checked.status, 0, checked.stderr);
  assert.match(checked.stdout, /ok: 1 destination, 1 rule\n/);
  const all = readFileSync(file, 'utf8').replace(/^ {2}# (?![A-Z])/gm, '  ');
  const more = command(['check', place.write('all.yaml', all)], { env: { ...process.env, INVENT_API_KEY: 'k', CRM_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` } });
  assert.match(more.stdout, /ok: 2 destinations, 3 rules\n/, 'what is commented out is good, too: ' + more.stderr);
  const unset = command(['check', file], { env: { PATH: process.env.PATH } });
  assert.equal(unset.status, 78);
  assert.match(unset.stderr, /relay\.yaml:\d+:\d+: .*INVENT_API_KEY/);
  const again = command(['init', file]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /is there already/);
});

test('check tells all mistakes at once, each with its place and the nearest name', (t) => {
  const place = new Place(t);
  const file = place.write('bad.yaml', [
    'source:', '  api_key: k', '  rate_limt: 450/min', 'destinations:', '  crm:', '    http: { url: foo }',
    'rules:', '  - name: a', '    to: [cmr]', '    when: { typ: [x] }', '  - name: a', '    to: crm',
    '    when: { data: { state: [{ sufix: x }] } }', ''].join('\n'));
  const r = command(['check', file]);
  assert.equal(r.status, 78);
  for (const line of [
    /bad\.yaml:3:3: .*rate_limt.*rate_limit/, /bad\.yaml:6:18: destinations\.crm\.http\.url: .*http/,
    /bad\.yaml:9:10: .*no destination "cmr".*"crm"/, /bad\.yaml:10:\d+: .*"typ".*"type"/,
    /bad\.yaml:11:11: .*name/, /bad\.yaml:13:\d+: .*unknown operator "sufix"/])
    assert.match(r.stderr, line);
  const json = JSON.parse(command(['check', '--json', file]).stdout);
  assert.equal(json.ok, false);
  assert.ok(json.problems.length >= 6);
});

test('a variable that is not set hides no other mistake, and is told once', (t) => {
  const place = new Place(t);
  const file = place.write('bad.yaml', [
    'source:', '  api_key: ${NONE}', '  pol_every: 5s', 'destinations:',
    '  crm: { http: { url: "${NONE}", secret: "${NONE}" } }', '  bus: { nng: { listen: ["${NONE}"] } }', '  x: ${NONE}',
    '  y: { http: "${NONE}" }', 'rules:', '  - { name: a, to: [crn] }', '  - { name: b, to: ["${NONE}"], when: "${NONE}" }',
    '  - ${NONE}', ''].join('\n'));
  const { problems } = JSON.parse(command(['check', '--json', file], { env: { PATH: process.env.PATH } }).stdout);
  const places = problems.map((p) => /bad\.yaml:(\d+:\d+): /.exec(p)?.[1]);
  assert.equal(new Set(places).size, problems.length, problems.join('\n'));
  assert.equal(problems.filter((p) => p.endsWith('the environment variable NONE is not set')).length, 9);
  assert.deepEqual(places.slice(9).sort(), ['10:21', '3:3']);
});

test('check warns of rules that are surely not meant so', (t) => {
  const place = new Place(t);
  const r = command(['check', place.write('a.yaml', [
    'source: { api_key: k }', 'destinations: { out: { stdout: {} } }', 'rules:',
    '  - { name: a, to: [out], when: { type: [recipient.failed, recipient.faild] } }',
    '  - { name: b, to: [] }', '  - { name: c, to: [], stop: true }', '  - { name: d, to: [out] }', ''].join('\n'))]);
  assert.equal(r.status, 0);
  assert.deepEqual(r.stderr.match(/a\.yaml:\d+:\d+/g).map((m) => m.slice(7)), ['4:60', '5:20', '7:5']);
  assert.match(r.stderr, /"recipient\.faild" .*did you mean "recipient\.failed"/);
});

test('an admin port for other machines must be meant', (t) => {
  const place = new Place(t);
  const check = (admin) => command(['check', place.write('a.yaml', `source: { api_key: k }\nadmin: ${admin}\n`)]);
  assert.equal(check('{ listen: 127.0.0.1:8077 }').status, 0);
  const r = check('{ listen: 0.0.0.0:8077 }');
  assert.equal(r.status, 78);
  assert.match(r.stderr, /a\.yaml:2:18: admin\.listen: .*insecure: true/);
  assert.equal(check('{ listen: 0.0.0.0:8077, insecure: true }').status, 0);
});

test('no two parts listen on one address', (t) => {
  const place = new Place(t);
  const check = (more) => command(['check', place.write('a.yaml', `source: { api_key: k }\n${more}\n`)]);
  const bus = (listen) => `bus: { nng: { listen: "${listen}", insecure: true } }`;
  const two = (one, other) => `destinations: { a: { nng: { listen: "${one}", insecure: true } }, ${bus(other)} }`;
  for (const config of [
    `admin:\ndestinations: { ${bus('tcp://127.0.0.1:8077')} }`,
    `admin:\ndestinations: { ${bus('tcp://*:8077')} }`,
    two('tcp://127.0.0.1:5555', 'tcp://*:5555'),
    two('tcp://[::]:5555', 'ws://127.0.0.1:5555/bus'),
    two('ipc:///run/x', 'ipc:///run/x'),
    two('ipc:///run/x', 'ipc:///run/.//x'),
  ]) {
    const r = check(config);
    assert.equal(r.status, 78, config);
    assert.match(r.stderr, /destinations\.bus: listens on an address that is taken already/);
  }
  assert.equal(check(two('tcp://127.0.0.1:5555', 'tcp://*:5556')).status, 0);
  assert.equal(check(two('ipc:///run/x', 'ipc:///run/y')).status, 0);
  const many = (n) => `destinations: { bus: { nng: { listen: [${Array.from({ length: n }, (_, i) => `ipc:///run/${i}`)}] } } }`;
  assert.equal(check(many(255)).status, 0);
  assert.match(check(many(256)).stderr, /there are more than 255 addresses/);
});

test('options and schema come from the same tables', () => {
  const options = command(['options']);
  assert.equal(options.status, 0);
  assert.match(options.stdout, /rate_limit/);
  assert.match(options.stdout, /450\/min/);
  const schema = JSON.parse(command(['schema']).stdout);
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.ok(JSON.stringify(schema).includes('"rate_limit"'));
});

test('version says what is built in', () => {
  assert.match(command(['version']).stdout, /^relay \d+\.\d+\.\d+\ntransports: .*http.*\njournals: sqlite/);
  const version = JSON.parse(command(['version', '--json']).stdout);
  assert.ok(version.transports.includes('nng'));
  assert.equal(typeof version.regex, 'boolean');
});

test('subscribe says that nobody answers, and when the relay is gone and back', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '5']);
  const bus = `ipc://${place.path('bus')}`;
  place.config(`source:\n  base_url: ${sim.url}\n  api_key: ${KEY}\ndestinations: { bus: { nng: { listen: ["${bus}"] } } }\n`);
  const s = place.start(RELAY, ['subscribe', bus, '']);
  await until('it says so', () => /no heartbeat in 5 s/.test(s.stderr));
  let relay = place.relay();
  await until('connected', () => /: connected/.test(s.stderr));
  relay.kill('SIGKILL');
  await relay.exit;
  await until('it says so again', () => /no heartbeat for 5 s/.test(s.stderr));
  relay = place.relay();
  await until('connected again', () => s.stderr.match(/: connected/g).length === 2);
});

test('events reads the journal without the secrets of the rest', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '5', '--no-key']);
  place.config(`source:\n  base_url: ${sim.url}\n  api_key: \${TEST_KEY}\n  since: all${FAST}\njournal: { sqlite: { path: relay.db } }\n`);
  const relay = place.relay([], { env: { ...process.env, TEST_KEY: 'k' } });
  const list = () => command(['events', 'list', '-c', place.path('relay.yaml')], { env: { PATH: process.env.PATH } });
  await until('events are listed', () => list().stdout.includes('recipient.added'));
  relay.kill();
  await relay.exit;
  assert.equal(list().status, 0);
  place.config('source: { api_key: k }\njournal: { sqlite: { path: "${NONE}" } }\n');
  const r = list();
  assert.equal(r.status, 78);
  assert.match(r.stderr, /NONE is not set/);
});

test('the journal lies beside the file that says nothing of it, whatever the working folder', (t) => {
  const place = new Place(t);
  for (const journal of ['', 'journal:', 'journal: {}', 'journal: { sqlite: }', 'journal: { sqlite: { keep: 7d } }']) {
    place.config(`source: { api_key: k }\n${journal}\n`);
    const r = command(['events', 'list', '-c', place.path('relay.yaml')], { cwd: '/' });
    assert.ok(r.stderr.includes(place.path('relay.db')), `${journal}: ${r.stderr}`);
  }
});

test('events without a journal fails with the file named', (t) => {
  const place = new Place(t);
  place.config('source: { api_key: k }\njournal: { sqlite: { path: none.db } }\n');
  const r = command(['events', 'list', '-c', place.path('relay.yaml')]);
  assert.equal(r.status, 1);
  assert.match(r.stderr, /none\.db/);
});

test('subscribe ends when its reader does, and on a signal when its reader reads nothing', async (t) => {
  const place = new Place(t);
  const sim = await place.sim(['--recipients', '300', '--ramp', '5s', '--speed', '60', '--rate-limit', '0']);
  const at = (name) => `ipc://${place.path(name)}`;
  place.config(sourceConfig(sim) + `
journal: { sqlite: { path: relay.db } }
destinations: { bus: { nng: { listen: ["${at('bus')}"], refill: "${at('refill')}" } } }
rules: [{ name: all, to: [bus] }]
`);
  place.relay();
  const args = ['subscribe', at('bus'), '', '--refill', at('refill'), '--all'];
  await until('there are events', () => command([...args, '--count', '500']).status === 0);
  // By SIGPIPE, as filters do; 141 is how a shell tells it.
  const head = place.start('bash', ['-c', '"$0" "$@" | head -1; echo "${PIPESTATUS[0]}"', RELAY, ...args]);
  assert.deepEqual(await head.exit, { code: 0, signal: null });
  await until('its status is told', () => head.lines().length === 2);
  assert.equal(head.lines()[1], '141');
  assert.doesNotMatch(head.stderr, /standard output/);
  const unread = place.start(RELAY, [...args, '--state', place.path('state')]);
  await until('it begins', () => unread.stdout);
  unread.child.stdout.pause();
  const done = () => readFileSync(`/proc/${unread.pid}/io`, 'utf8').match(/wchar: (\d+)/)[1];
  await until('it stands still', async () => {
    const before = done();
    await sleep(500);
    return done() === before;
  });
  unread.kill('SIGTERM');
  assert.deepEqual(await unread.exit, { code: 1, signal: null });
  assert.match(unread.stderr, /nobody reads it/);
});
