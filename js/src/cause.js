// What engines say of what went wrong.
import { LoadError } from './errors.js';

/**
 * Whether an engine says that the page's policy forbids WebAssembly: Chromium, Firefox and
 * Safari in their words, and V8 where it is built into something else.
 * @param {unknown} cause
 */
export function forbidden(cause) {
  return cause instanceof Error && /content security policy|blocked by csp|unsafe-eval|disallowed by embedder/i.test(cause.message);
}

/**
 * @param {string} name
 * @param {unknown} cause
 */
export function policyError(name, cause) {
  return new LoadError(`${name} must not be compiled: the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src`
    + ` (as in script-src 'self' 'wasm-unsafe-eval'), also in the policy that worker scripts are served with. The engine says: ${reason(cause)}`, 'BLOCKED_BY_POLICY', { cause });
}

/** @param {unknown} cause */
export function reason(cause) {
  if (!(cause instanceof Error)) return String(cause);
  // Node's fetch hides what happened one level down.
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}
