// Nobody types the README's table of browsers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fill } from './browsers/table.mjs';

test('the README has the versions that the tests in all browsers ran with last', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  assert.equal(fill(readme, JSON.parse(readFileSync(new URL('browsers/results.json', import.meta.url), 'utf8'))), readme);
  assert.throws(() => fill('nothing', {}), /no <!-- browsers:begin -->/);
});
