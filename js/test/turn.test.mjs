// The turn of the host's loop, with what hosts have for it: jsdom under Jest has neither setImmediate nor MessageChannel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../src/turn.js';

for (const missing of [[], ['setImmediate'], ['setImmediate', 'MessageChannel']]) {
  test(`what waits for the loop comes first, ${missing.length ? `without ${missing.join(' and ')}` : 'in Node'}`, async (t) => {
    for (const name of missing) {
      const own = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { value: undefined, configurable: true, writable: true });
      t.after(() => Object.defineProperty(globalThis, name, own));
    }
    let came = false;
    setTimeout(() => (came = true));
    const start = performance.now();
    while (!came && performance.now() - start < 300_000) await turn();
    assert.ok(came);
  });
}
