#!/bin/sh
# build/bench/*.json → docs/performance.md on standard output.
set -eu
cd "$(dirname "$0")/../.."
node - build/bench/*.json <<'JS'
const { readFileSync } = require('node:fs');
const { basename } = require('node:path');
const number = (x) => (x === undefined || x === null ? '' : Math.abs(x) >= 1000 ? Math.round(x).toLocaleString('en') : Number(x.toPrecision(3)).toString());
console.log(`# What \`make bench\` measured

Absolute figures depend on the machine; what counts is the ratio to a limit or a peer that was measured in the
same run: in alternating rounds, as a median, or, for the memory of whole processes, in one run
each, which is noisier. \`bar\` is the ratio (or, where there is no peer, the value) asked for.
`);
for (const file of process.argv.slice(2)) {
  const { machine, rows } = JSON.parse(readFileSync(file, 'utf8'));
  console.log(`## ${basename(file, '.json')}\n\n${typeof machine === 'string' ? machine : Object.values(machine).join(', ')}\n`);
  console.log('| case | value | unit | ratio | of | bar | met |\n|---|--:|---|--:|---|--:|---|');
  for (const r of rows)
    console.log(`| ${r.case} | ${number(r.value)} | ${r.unit} | ${number(r.ratio)} | ${r.of ?? ''} | ${number(r.bar)} | ${r.ok === undefined ? '' : r.ok ? 'yes' : '**no**'} |`);
  console.log();
}
JS
