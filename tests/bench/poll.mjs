// The careful script that Relay is measured against: polls all recipients of one broadcast twice over
// one keep-alive connection, keeps one number a row, and posts each change. No journal, no retry.
//
//   node tests/bench/poll.mjs API SINK STEP_MS
import http from 'node:http';

const [api, sink, step] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const FLAGS = ['is_skipped', 'is_failed', 'is_sent', 'is_delivered', 'is_complained', 'is_unsubscribed', 'is_opened', 'is_played', 'is_bounced', 'processed'];
const known = new Map();

function call(url, method = 'GET', body = undefined) {
  return new Promise((done, fail) => {
    const request = http.request(url, { method, agent }, (response) => {
      const parts = [];
      response.on('data', (d) => parts.push(d));
      response.on('end', () => done({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', fail);
    request.end(body);
  });
}

async function sweep(first) {
  const posts = [];
  for (let page = 1, pages = 1; page <= pages; page++) {
    const reply = await call(`${api}/orgs/c/broadcasts/bc_1/recipients?page=${page}&take=100`);
    pages = Math.ceil(Number(reply.headers['pagination-count']) / 100);
    for (const row of JSON.parse(reply.body)) {
      let mask = row.status === 'PROCESSED' ? 1 << (FLAGS.length - 1) : 0;
      for (let i = 0; i < FLAGS.length; i++) if (row[FLAGS[i]]) mask |= 1 << i;
      const before = known.get(row.id);
      if (before === mask) continue;
      known.set(row.id, mask);
      if (first) continue;
      for (let i = 0; i < FLAGS.length; i++)
        if (mask & (1 << i) && !((before ?? 0) & (1 << i)))
          posts.push(call(sink, 'POST', JSON.stringify({ type: FLAGS[i], at: row[`${FLAGS[i]}_at`], recipient: row.id, row })));
    }
    if (posts.length > 256) await Promise.all(posts.splice(0));
  }
  await Promise.all(posts);
}

await sweep(true);
await call(`${api}/sim/step?ms=${step}`, 'POST');
await sweep(false);
agent.destroy();
