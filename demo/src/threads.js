// The choice of threads that pages offer: where memory can be shared with workers, and why there is none elsewhere.

/** What the package takes of itself. @param {number} cores */
export const usual = (cores) => Math.min(4, cores);

/** The numbers to choose from: those that double, and all cores. @param {number} cores @returns {number[]} */
export function counts(cores) {
  const most = Math.min(64, cores);
  const list = [];
  for (let n = 1; n < most; n *= 2) list.push(n);
  return [...list, most];
}

/**
 * What there is to choose, and what to say of it.
 * @param {{ isolated: boolean, shares?: boolean, cores: number }} here `shares`: whether the browser has memory that is shared
 * @returns {{ choices: number[], chosen: number, says: string }}
 */
export function offer({ isolated, shares = true, cores }) {
  if (!isolated) return { choices: [1], chosen: 1, says: 'More than one takes two headers from the server: Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy.' };
  if (!shares) return { choices: [1], chosen: 1, says: 'This browser shares no memory with workers.' };
  if (cores < 2) return { choices: [1], chosen: 1, says: 'This device has one core.' };
  return { choices: counts(cores), chosen: usual(cores), says: `This device has ${cores} cores.` };
}

/**
 * Fills a select element and the hint below it. The page comes with the hint for hosts without headers,
 * which is the longest, unseen: others keep its height, so that what follows does not move.
 * @param {HTMLSelectElement} select @param {HTMLElement} hint
 */
export function offerThreads(select, hint) {
  const { choices, chosen, says } = offer({ isolated: globalThis.crossOriginIsolated === true, shares: typeof SharedArrayBuffer === 'function', cores: navigator.hardwareConcurrency || 1 });
  select.replaceChildren(...choices.map((n) => new Option(String(n), String(n), n === chosen, n === chosen)));
  select.disabled = choices.length < 2;
  if (hint.textContent !== says) {
    hint.style.minHeight = `${hint.offsetHeight}px`;
    hint.textContent = says;
  }
  hint.classList.remove('unsaid');
}
