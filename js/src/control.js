// What threads share with the module: words of int32 in its memory, of which internal/threads has the other side.

/** The custom section of a module whose memory can have fewer pages than others, for threads share it: how many, a uint32. */
export const pagesSection = 'normwasm.pages';

/** Changes when those who sleep are to look for a job: what they sleep on. */
export const seq = 0;
/** The next job that nobody has begun. */
export const head = 16;
/** How many jobs helpers have finished. */
export const done = 32;
/** Helpers that are there. */
export const ready = 48;
/** Not 0: helpers are to end. */
export const quit = 49;
/** Not 0: the module uses no helpers any more, since one disappeared in the midst of a job. */
export const lost = 50;
/** Helpers that sleep, or are about to. */
export const sleepers = 51;
/** Milliseconds without a sign of life after which a helper that is at work is lost. */
export const patience = 52;
/** Which kernels the module has, whose calls it records. */
export const signature = 53;
/** By job, 16 words each: how many there have been with this one, once it is there; from where to where its calls are recorded. */
export const jobs = 64;
/** How many jobs these are. */
export const jobCount = 64;
/** By helper, 16 words each: the address of the call that it is at, and what has become of it. */
export const signs = jobs + 16 * jobCount;
/** The most helpers. */
export const mostHelpers = 64;

/** What has become of a helper. */
export const serving = 1;
export const gone = 2;

/**
 * @param {WebAssembly.Memory} memory
 * @param {number} address
 */
export function wordsAt({ buffer }, address) {
  return new Int32Array(buffer, address, signs + 16 * mostHelpers);
}
