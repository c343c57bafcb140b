// Regular expressions of tokenizer.json, which are Oniguruma's, as JavaScript's.
import { isObject, shown, unsupported, wrong } from './parts.js';

/** What \w stands for, inside of brackets. */
const word = '\\p{L}\\p{M}\\p{N}\\p{Pc}';

/** Letters that another one is the other case of, beside those of ASCII. @type {Record<string, string>} */
const folds = { s: 'ſ', k: '\u212a' };

/** @param {string} letter */
const cases = (letter) => letter.toLowerCase() + letter.toUpperCase() + (folds[letter.toLowerCase()] ?? '');

/**
 * The pattern of a Split or Replace: { String } or { Regex }.
 * @param {any} pattern
 * @returns {RegExp}
 */
export function patternOf(pattern) {
  if (typeof pattern === 'string') return literal(pattern);
  if (isObject(pattern) && typeof pattern.String === 'string') return literal(pattern.String);
  if (isObject(pattern) && typeof pattern.Regex === 'string') return translate(pattern.Regex);
  throw wrong(`a pattern is ${shown(pattern)}, want { "String": … } or { "Regex": … }`);
}

/** @param {string} text */
export function literal(text) {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu');
}

/**
 * @param {string} source
 * @returns {RegExp}
 */
export function translate(source) {
  let out = '';
  let at = 0;
  /** Where the latest atom begins in out. */
  let atom = 0;
  let possessive = 0;
  /** Of each open group: where it begins, and whether letters around it had no case. @type {[number, boolean][]} */
  const open = [];
  let caseless = false;
  const fail = () => unsupported(`the regular expression ${shown(source)}`);

  /**
   * An escape, from the backslash on.
   * @param {boolean} inside of brackets
   */
  const escape = (inside) => {
    const letter = source[at + 1];
    at += 2;
    if (letter === 'p' || letter === 'P') {
      const name = /^\{(\^?)([\w=: -]+)\}/.exec(source.slice(at));
      if (!name) throw fail();
      at += name[0].length;
      const not = (letter === 'P') !== (name[1] === '^');
      for (const spelt of [name[2], `Script=${name[2]}`]) {
        try {
          new RegExp(`\\p{${spelt}}`, 'u');
          return `\\${not ? 'P' : 'p'}{${spelt}}`;
        } catch {} // a script goes by its name alone there
      }
      throw fail();
    }
    switch (letter) {
      case 's': return '\\p{White_Space}';
      case 'S': return '\\P{White_Space}';
      case 'd': return '\\p{Nd}';
      case 'D': return '\\P{Nd}';
      case 'h': return inside ? '0-9a-fA-F' : '[0-9a-fA-F]';
      case 'w': return inside ? word : `[${word}]`;
      case 'W':
        if (inside) throw fail();
        return `[^${word}]`;
      case 'A': return '^';
      case 'z': return '$';
      case 'x': {
        const digits = /^(?:\{([0-9a-f]{1,6})\}|([0-9a-f]{2}))/i.exec(source.slice(at));
        if (!digits) throw fail();
        at += digits[0].length;
        return `\\u{${digits[1] ?? digits[2]}}`;
      }
      case 'u': {
        const digits = source.slice(at, at + 4);
        at += 4;
        return `\\u${digits}`;
      }
    }
    if (letter === undefined) throw fail();
    if (/[\w]/.test(letter)) {
      if (!/[nrtfvbBk\d]/.test(letter)) throw fail();
      return `\\${letter}`;
    }
    return /[\^$\\.*+?()[\]{}|/-]/.test(letter) && (inside || letter !== '-') ? `\\${letter}` : letter;
  };

  while (at < source.length) {
    const char = /** @type {string} */ (String.fromCodePoint(/** @type {number} */ (source.codePointAt(at))));
    if (char === '\\') {
      atom = out.length;
      out += escape(false);
    } else if (char === '[') {
      atom = out.length;
      out += '[';
      at++;
      if (source[at] === '^') {
        out += '^';
        at++;
      }
      for (let first = true; source[at] !== ']' || first; first = false) {
        if (at >= source.length || source[at] === '[' || source.startsWith('&&', at)) throw fail();
        if (source[at] === '\\') out += escape(true);
        else {
          const one = String.fromCodePoint(/** @type {number} */ (source.codePointAt(at)));
          at += one.length;
          out += caseless && /[a-z]/i.test(one) && source[at] !== '-' && source[at - 2] !== '-' ? cases(one) : /[\]|(){}/^]/.test(one) ? `\\${one}` : one;
        }
      }
      out += ']';
      at++;
    } else if (char === '(') {
      open.push([out.length, caseless]);
      const flags = /^\(\?(-?i|i)(:|\))/.exec(source.slice(at));
      if (flags) {
        caseless = flags[1] === 'i';
        at += flags[0].length;
        if (flags[2] === ')') { // for the rest of the group around it
          open.pop();
          continue;
        }
        out += '(?:';
      } else {
        const head = /^\((\?(:|=|!|<=|<!|<\w+>))?/.exec(source.slice(at));
        if (!head || (source[at + 1] === '?' && head[1] === undefined)) throw fail();
        out += head[0];
        at += head[0].length;
      }
      atom = out.length;
    } else if (char === ')') {
      const group = open.pop();
      if (!group) throw fail();
      [atom, caseless] = group;
      out += ')';
      at++;
    } else if (/[*+?{]/.test(char)) {
      const times = /^(?:[*+?]|\{\d*,?\d*\})/.exec(source.slice(at));
      if (!times || times[0] === '{}' || times[0] === '{,}') {
        atom = out.length;
        out += '\\{';
        at++;
        continue;
      }
      at += times[0].length;
      const quantifier = times[0].replace('{,', '{0,');
      if (source[at] === '+' && times[0].length === 1) { // what it has matched it keeps: an assertion does so too
        at++;
        const name = `possessive${possessive++}`;
        out = `${out.slice(0, atom)}(?:(?=(?<${name}>${out.slice(atom)}${quantifier}))\\k<${name}>)`;
      } else {
        out += quantifier;
        if (source[at] === '?') {
          out += '?';
          at++;
        }
      }
    } else {
      atom = out.length;
      at += char.length;
      if (char === '.') out += '[^\\n]';
      else if (char === '|') {
        out += '|';
        atom = out.length;
      } else if (char === '}' || char === ']' || char === '/') out += `\\${char}`;
      else out += caseless && /[a-z]/i.test(char) ? `[${cases(char)}]` : char;
    }
  }
  try {
    return new RegExp(out, 'gu');
  } catch (cause) {
    throw wrong(`the regular expression ${shown(source)} cannot be read: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
}
