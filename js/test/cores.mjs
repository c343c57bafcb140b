// So many cores for the package in this process, whatever the computer has: NORMWASM_THREADS=1 NODE_OPTIONS="--import ./test/cores.mjs"
// runs tests without helpers, 4 with three.
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const { NORMWASM_THREADS } = process.env;
if (NORMWASM_THREADS !== undefined) {
  os.availableParallelism = () => Number(NORMWASM_THREADS);
  syncBuiltinESMExports();
}
