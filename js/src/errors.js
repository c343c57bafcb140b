// The error classes, and how the module's status numbers become them.
import { internal, statuses } from './bridge.js';

/** Every failure is one of these, with a stable `code` and the numbers in question in its message. */
export class NormError extends Error {
  /**
   * @param {string} message
   * @param {string} [code]
   * @param {ErrorOptions} [options]
   */
  constructor(message, code = 'INVALID_VALUE', options) {
    super(message, options);
    /** @type {string} */
    this.code = code;
  }
}

/** A length, rank, axis or dimension does not fit. */
export class ShapeError extends NormError {
  /** @param {string} message @param {string} [code] @param {ErrorOptions} [options] */
  constructor(message, code = 'INVALID_SHAPE', options) {
    super(message, code, options);
  }
}

/** The module or a model could not be fetched, read or compiled. */
export class LoadError extends NormError {
  /** @param {string} message @param {string} [code] @param {ErrorOptions} [options] */
  constructor(message, code = 'LOAD_FAILED', options) {
    super(message, code, options);
  }
}

/** An operator, attribute or type that is not implemented. */
export class UnsupportedError extends NormError {
  /** @param {string} message @param {string} [code] @param {ErrorOptions} [options] */
  constructor(message, code = 'UNSUPPORTED', options) {
    super(message, code, options);
  }
}

/**
 * Whether a model was refused because the full edition of the module has an operator of it. Its bytes are as they were.
 * @param {unknown} error
 */
export const needsFull = (error) => error instanceof UnsupportedError && error.code === 'OTHER_EDITION';

/** Use after dispose() or release(), or after the runtime died. */
export class DisposedError extends NormError {
  /** @param {string} message @param {string} [code] @param {ErrorOptions} [options] */
  constructor(message, code = 'DISPOSED', options) {
    super(message, code, options);
  }
}

/**
 * Gives classes their names back, which minifiers take.
 * @param {Record<string, Function>} classes
 */
export function named(classes) {
  for (const [value, Class] of Object.entries(classes)) Object.defineProperty(Class, 'name', { value, configurable: true });
}

const errors = { NormError, ShapeError, LoadError, UnsupportedError, DisposedError };
named(errors);
// On the prototypes, where Error has it.
for (const [value, Class] of Object.entries(errors)) Object.defineProperty(Class.prototype, 'name', { value, configurable: true, writable: true });

/**
 * @param {number} status
 * @param {string} message
 */
export function fromStatus(status, message) {
  const [name, code] = statuses[status] ?? /** @type {any} */ (statuses[internal]);
  return fromName(name, code, message);
}

/**
 * An error as another thread had it.
 * @param {string} name
 * @param {string} code
 * @param {string} message
 */
export function fromName(name, code, message) {
  return new (Object.hasOwn(errors, name) ? errors[/** @type {keyof typeof errors} */ (name)] : NormError)(message, code);
}

/**
 * The error of an operation that its caller aborted; the signal's reason is its cause.
 * @param {AbortSignal} signal
 * @param {string} what
 */
export function aborted(signal, what) {
  const error = new LoadError(`${what} was aborted`, 'ABORTED', { cause: signal.reason });
  // The name by which web code tells an abort from a failure.
  Object.defineProperty(error, 'name', { value: 'AbortError', configurable: true });
  return error;
}
