// How a callback gets there: credentials, certificates, proxies, methods. The receivers are servers
// of the test's own, with an authority made for the test.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { Place, command, until } from './harness.mjs';
import { api, arrives, configure, proxy, receiver, secretOf, selfSigned, sentRow, signed } from './callbacks.mjs';

const SECRET = secretOf('a secret'), BEARER = 'tok-ÅÄ-123', BASIC = 'user:pass wörd:x';
const SENT = (to) => `  - { name: sent, when: { type: recipient.sent }, to: [${to}] }`;
const ROWS = [sentRow('r1'), sentRow('r2')];

// An authority, a certificate of it for localhost, and one for a client.
function authority(place) {
  selfSigned(place, 'ca');
  return { server: signed(place, 'server', 'localhost'), client: signed(place, 'client', 'relay'), ca: place.read('ca.pem') };
}

test('methods, headers and credentials, from the configuration, the environment and files', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS);
  const r = await receiver(place);
  place.write('secret', SECRET + '\n');
  place.write('bearer', 'from-a-file\n');
  place.write('basic', BASIC + '\n');
  configure(place, a, `
  put: { http: { url: "${r.url}/put", method: PUT, bearer: "\${TOKEN}", headers: { X-Team: "crm", X-Key: "\${KEY}" } } }
  patch: { http: { url: "${r.url}/patch", method: PATCH, bearer_file: bearer, secret_file: secret } }
  basic: { http: { url: "${r.url}/basic", basic_file: basic } }
  own: { http: { url: "${r.url}/own?a=b", headers: { Authorization: "Token x", User-Agent: "me/1" } } }`, SENT('put, patch, basic, own'));
  const relay = place.relay([], { env: { ...process.env, TOKEN: BEARER, KEY: 'k3y' } });
  for (const path of ['/put', '/patch', '/basic', '/own?a=b']) await arrives(path, () => r.at(path), 2);
  const [put] = r.at('/put'), [patch] = r.at('/patch'), [basic] = r.at('/basic'), [own] = r.at('/own?a=b');
  const text = (v) => Buffer.from(v, 'latin1').toString(); // Node reads headers as Latin 1
  assert.equal(put.method, 'PUT');
  assert.equal(text(put.headers.authorization), `Bearer ${BEARER}`);
  assert.equal(put.headers['x-team'], 'crm');
  assert.equal(put.headers['x-key'], 'k3y');
  assert.match(put.headers['user-agent'], /^Relay\//);
  assert.equal(put.headers['webhook-signature'], undefined);
  assert.equal(patch.method, 'PATCH');
  assert.equal(patch.headers.authorization, 'Bearer from-a-file');
  new Webhook(SECRET).verify(patch.body, patch.headers);
  assert.equal(Buffer.from(basic.headers.authorization.slice(6), 'base64').toString(), BASIC);
  assert.equal(basic.method, 'POST');
  assert.equal(own.headers.authorization, 'Token x');
  assert.equal(own.headers['user-agent'], 'me/1');
  for (const call of r.calls) assert.equal(call.headers.expect, undefined);
  for (const secret of [BEARER, 'k3y', BASIC, 'from-a-file', SECRET]) assert.ok(!relay.stderr.includes(secret));
});

test('an authority of one\'s own, and a certificate of one\'s own for who asks for it', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS);
  const { server, ca } = authority(place);
  selfSigned(place, 'stranger', 'relay');
  const r = await receiver(place, { tls: { ...server, ca, requestCert: true, rejectUnauthorized: true } });
  configure(place, a, `
  crm: { http: { url: "${r.url}/crm", ca_file: ca.pem, cert_file: client.pem, key_file: client.key, secret: "${SECRET}" } }
  nobody: { http: { url: "${r.url}/nobody", ca_file: ca.pem } }
  stranger: { http: { url: "${r.url}/stranger", ca_file: ca.pem, cert_file: stranger.pem, key_file: stranger.key } }
  unsure: { http: { url: "${r.url}/unsure", cert_file: client.pem, key_file: client.key } }
  address: { http: { url: "${r.url.replace('localhost', '127.0.0.1')}/address", ca_file: ca.pem, cert_file: client.pem, key_file: client.key } }`,
  SENT('crm, nobody, stranger, unsure, address'));
  const relay = place.relay();
  await arrives('/crm', () => r.at('/crm'), 2);
  for (const call of r.at('/crm')) {
    assert.equal(call.authorized, true);
    new Webhook(SECRET).verify(call.body, call.headers);
  }
  for (const name of ['nobody', 'stranger', 'unsure', 'address'])
    await until(`${name} fails`, () => new RegExp(`delivery fails.*destination=${name}`).test(relay.stderr));
  assert.match(relay.stderr, /destination=unsure.*certificate is not trusted/);
  assert.match(relay.stderr, /destination=address.*certificate is for another name/);
  assert.deepEqual([...new Set(r.calls.map((c) => c.url))], ['/crm']);
});

test('insecure takes any certificate, says so, and spoils no other destination\'s connections', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS);
  const r = await receiver(place, { tls: selfSigned(place, 'self', 'somebody') });
  const text = (order) => configure(place, a, `
  loose: { http: { url: "${r.url}/loose", insecure: true } }
  strict: { http: { url: "${r.url}/strict" }, retry: [0s, 100ms, 100ms, 100ms, 100ms, 100ms, 100ms, 100ms, 1h] }`, SENT(order));
  text('loose, strict');
  const check = command(['check', place.path('relay.yaml')]);
  assert.equal(check.status, 0);
  assert.match(check.stdout + check.stderr, /relay\.yaml:\d+:\d+: destinations\.loose\.http\.insecure: the receiver's certificate is not verified/);
  const relay = place.relay();
  await arrives('/loose', () => r.at('/loose'), 2);
  assert.match(relay.stderr, /warning: .*destinations\.loose\.http\.insecure/);
  await until('the other is refused', () => /delivery fails.*destination=strict.*certificate is not trusted/.test(relay.stderr));
  // Its repeats find connections that lie idle, and must not use them; nor does it spoil these.
  for (let i = 3; i < 10; i++) {
    a.next([sentRow(`r${i}`)]);
    await arrives('/loose', () => r.at('/loose'), i);
  }
  const attempts = () => r.at('/loose').flatMap((call) => {
    const shown = command(['events', 'show', JSON.parse(call.body).id, '-c', place.path('relay.yaml'), '--json']);
    return JSON.parse(shown.stdout).destinations.find((d) => d.name === 'strict').attempts;
  });
  await until('a probe behind the first five', () => attempts().length >= 6);
  for (const attempt of attempts()) assert.match(attempt.why, /certificate is not trusted/);
  assert.equal(r.at('/strict').length, 0);
  assert.ok(new Set(r.at('/loose').map((c) => c.from)).size < r.at('/loose').length, 'connections are used again');
});

test('a proxy carries http by whole URLs and https by CONNECT, and cannot read what is in TLS', async (t) => {
  const place = new Place(t);
  const a = await api(place, ROWS);
  const { server } = authority(place);
  const plain = await receiver(place), tls = await receiver(place, { tls: server });
  const p = await proxy(place), trap = await proxy(place);
  configure(place, a, `
  plain: { http: { url: "${plain.url}/plain?a=b", proxy: "${p.url}", secret: "${SECRET}" } }
  tls: { http: { url: "${tls.url}/tls", proxy: "${p.url}", ca_file: ca.pem, secret: "${SECRET}" } }
  binary: { http: { url: "${plain.url}/binary", proxy: "${p.url}", format: cloudevents-binary, secret: "${SECRET}" } }
  direct: { http: { url: "${plain.url}/direct" } }
  untrusted: { http: { url: "${tls.url}/untrusted", proxy: "${p.url}" } }
  denied: { http: { url: "${plain.url}/denied", proxy: "${p.url}", network: { deny: [127.0.0.0/8] } } }`, SENT('plain, tls, binary, direct, untrusted, denied'));
  const env = { ...process.env, NO_PROXY: '*', no_proxy: '*' };
  for (const name of ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']) env[name] = trap.url;
  const relay = place.relay([], { env });
  for (const [r, path] of [[plain, '/plain?a=b'], [tls, '/tls'], [plain, '/binary'], [plain, '/direct']]) {
    await arrives(path, () => r.at(path), 2);
    if (path !== '/direct') for (const call of r.at(path)) new Webhook(SECRET).verify(call.body, call.headers);
  }
  await until('the other two fail', () => /destination=untrusted.*certificate is not trusted/.test(relay.stderr) && /destination=denied.*address not allowed/.test(relay.stderr));
  assert.deepEqual([...new Set(p.asked)].sort(), [`CONNECT localhost:${tls.port}`, `POST http://localhost:${plain.port}/binary`, `POST http://localhost:${plain.port}/plain?a=b`]);
  assert.deepEqual(trap.asked, []);
  assert.equal(tls.at('/untrusted').length + plain.at('/denied').length, 0);
});

test('what cannot be is said by check, each with its place', (t) => {
  const place = new Place(t);
  const says = (http, what) => {
    place.config(`source: { api_key: k }\ndestinations:\n  crm:\n    http: { ${http} }\nrules: [{ name: a, to: [crm] }]\n`);
    const c = command(['check', place.path('relay.yaml')]);
    assert.equal(c.status, 78, http);
    assert.match(c.stderr, what);
    assert.match(c.stderr, /relay\.yaml:4:\d+: destinations\.crm\.http/);
  };
  says('url: "https://a/", proxy: "http://user:pass@proxy:3128"', /proxy/);
  says('url: "https://user:pass@a/"', /url/);
  says('url: "https://a/", format: cloudevents-binary, preset: slack', /format: goes with none of body, body_file and preset/);
  says('url: "https://a/", format: cloudevents-batch, headers: { X-Type: "{{type}}" }', /headers\.X-Type: a batch is of many events/);
  says('url: "https://a/", format: cloud', /format/);
  says('url: "https://a/", key_file: relay.yaml', /cert_file and key_file belong together/);
  says('url: "https://a/", insecure: true, ca_file: relay.yaml', /insecure: give either ca_file or insecure/);
});
