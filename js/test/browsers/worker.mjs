import * as suite from '../digests.mjs';

self.onmessage = async ({ data: [name, argument] }) => {
  try {
    self.postMessage({ value: await suite[name](argument) });
  } catch (error) {
    self.postMessage({ error: String(error.stack ?? error) });
  }
};
