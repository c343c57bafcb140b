// Helpers of one instance, whatever happens to them in whatever order: none is left, none is waited for, and it is said once. The
// workers are made up here, and take part in the control block as src/helper.js does; those of Node are in threads.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, lost, mostHelpers, quit, ready, seq, serving, signs, wordsAt } from '../src/control.js';
import { take } from '../src/threads/given.js';
import { Helpers } from '../src/threads/helpers.js';

const control = 4096;
const seed = Number(process.env.NORMWASM_SEED ?? 1);
const orders = 4000;

/** A series of whole numbers below n. */
function series(start) {
  let state = start >>> 0;
  return (n) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
}

/** Lets everything that waits for nothing but its turn come to its end. */
const settle = async (turns) => {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
};
const turn = () => Promise.resolve();

test(`${orders} orders of starts, ends, crashes and faults`, async (t) => {
  const warned = t.mock.method(console, 'warn', () => {});
  for (let order = 0; order < orders; order++) {
    const where = `NORMWASM_SEED=${seed}, order ${order}`;
    const random = series(seed * 1_000_003 + order);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const words = wordsAt(memory, control);
    const count = 1 + random(5);
    warned.mock.resetCalls();

    /** What can still happen, one after another in any order. @type {(() => void)[]} */
    const events = [];
    const workers = [];
    class FakeWorker {
      terminated = false;
      serves = false;

      constructor(receive, fail) {
        Object.assign(this, { receive, fail });
        workers.push(this);
      }

      postMessage({ call, index, module }) {
        assert.equal(call, 'help');
        assert.equal(module, 'kernels');
        this.index = index;
        const fate = random(6);
        if (fate === 0) events.push(() => this.receive({ error: { message: 'thrown' } }));
        else if (fate === 1) events.push(() => this.fail('it exited with code 3'));
        else {
          events.push(() => {
            if (this.terminated) return;
            if (Atomics.compareExchange(words, signs + 16 * index + 1, 0, serving) === gone) return;
            Atomics.add(words, ready, 1);
            this.serves = true;
            if (fate === 2) events.push(() => {
              this.fail('it broke down');
              this.fail('and says so twice');
            });
            if (fate === 3) events.push(() => this.receive({ value: undefined })); // it has left its loop
          });
        }
      }

      terminate() {
        this.terminated = true;
      }
    }
    take({
      reason: (cause) => cause.message,
      async startThread(_script, receive, fail) {
        const fate = random(8);
        for (let i = random(4); i > 0; i--) await turn();
        if (fate === 0) throw new Error('there is no such script');
        return new FakeWorker(receive, fail);
      },
    });
    const kernels = new Promise((resolve, reject) => {
      const settleKernels = random(12) === 0 ? () => reject(new Error('404')) : () => resolve('kernels');
      if (random(2)) settleKernels();
      else events.push(settleKernels);
    });
    const helpers = new Helpers({ memory, control, variant: 'simd' }, count, kernels);
    assert.equal(helpers.threads, 1 + count, where);

    if (random(3) === 0) events.push(() => {
      Atomics.store(words, lost, 1);
      if (random(2)) helpers.check();
    });
    if (random(2)) events.push(() => helpers.end());
    if (random(4) === 0) events.push(() => helpers.end(), () => helpers.check(), () => void helpers.threads);

    for (let steps = 0; steps < 200; steps++) {
      for (let i = random(6); i > 0; i--) await turn();
      if (events.length > 0) events.splice(random(events.length), 1)[0]();
      else if (steps > 20) break;
    }
    await settle(2);
    while (events.length > 0) {
      events.splice(random(events.length), 1)[0]();
      await settle(1);
    }

    const isLost = Atomics.load(words, lost) !== 0;
    const alive = workers.filter((worker) => !worker.terminated);
    assert.ok(warned.mock.callCount() <= 1, `${where}: warned ${warned.mock.callCount()} times`);
    if (Atomics.load(words, quit) === 0 && !isLost) {
      // It goes on: those that live are those that are counted, and those that serve are those that the module counts on.
      assert.equal(helpers.threads, 1 + alive.length, where);
      assert.equal(Atomics.load(words, ready), alive.filter((worker) => worker.serves).length, where);
      assert.equal(warned.mock.callCount(), alive.length < count ? 1 : 0, where);
    }
    if (isLost && Atomics.load(words, quit) === 0) assert.equal(helpers.threads, 1, where);
    const before = Atomics.load(words, seq);
    helpers.end();
    helpers.end();
    assert.ok(workers.every((worker) => worker.terminated), `${where}: a worker is left`);
    assert.equal(Atomics.load(words, quit), 1, where);
    assert.ok(Atomics.load(words, seq) - before <= 1, where);
  }
});

test('as many helpers as there may be have their words', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  assert.ok(wordsAt(memory, control).length > signs + 16 * (mostHelpers - 1) + 1);
});
