// Who may do what on a nats-server in operator mode: NKeys (ed25519 keys in base32) and the JWTs of an
// operator, an account and a user, made on the spot. https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';

const PREFIX = { operator: 14 << 3, account: 0, user: 20 << 3 };
const SEED = 18 << 3;

function base32(bytes) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let text = '';
  let bits = 0;
  let value = 0;
  for (const b of bytes) {
    value = (value << 8) | b;
    for (bits += 8; bits >= 5; bits -= 5) text += letters[(value >> (bits - 5)) & 31];
    value &= 255;
  }
  return bits ? text + letters[(value << (5 - bits)) & 31] : text;
}

// CRC-16/XMODEM, low byte first.
function checked(bytes) {
  let crc = 0;
  for (const b of bytes) {
    crc ^= b << 8;
    for (let i = 0; i < 8; i++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return base32(Buffer.from([...bytes, crc & 255, crc >> 8]));
}

// {public, seed, sign(text)}
function nkey(kind) {
  const raw = randomBytes(32);
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), raw]), format: 'der', type: 'pkcs8' });
  const open = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const prefix = PREFIX[kind];
  return {
    public: checked([prefix, ...open]),
    seed: checked([SEED | (prefix >> 5), (prefix & 31) << 3, ...raw]),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
  };
}

const encode = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');

function jwt(by, subject, name, type, nats) {
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode({
    jti: randomBytes(16).toString('hex'), iat: Math.floor(Date.now() / 1000), iss: by.public, name, sub: subject.public,
    nats: { ...nats, type, version: 2 },
  })}`;
  return `${text}.${by.sign(text)}`;
}

const ANY = { subs: -1, data: -1, payload: -1 };

// {config, user(permissions)}: lines of the server's configuration, and users of its account: {creds,
// jwt, sign}.
export function natsOperator() {
  const [operator, system, account] = [nkey('operator'), nkey('account'), nkey('account')];
  const limits = { ...ANY, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const tokens = {
    [system.public]: jwt(operator, system, 'SYS', 'account', { limits }),
    [account.public]: jwt(operator, account, 'RELAY', 'account', { limits: { ...limits, ...storage } }),
  };
  return {
    config: `operator: "${jwt(operator, operator, 'O', 'operator', {})}"
system_account: ${system.public}
resolver: MEMORY
resolver_preload: { ${Object.entries(tokens).map(([k, v]) => `${k}: "${v}"`).join(', ')} }
`,
    user(permissions = {}) {
      const user = nkey('user');
      const token = jwt(account, user, 'relay', 'user', { ...ANY, pub: {}, sub: {}, ...permissions });
      return {
        jwt: token,
        sign: user.sign,
        creds: `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n`
          + `-----BEGIN USER NKEY SEED-----\n${user.seed}\n------END USER NKEY SEED------\n`,
      };
    },
  };
}
