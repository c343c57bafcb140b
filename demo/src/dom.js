/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * An element with properties, class and children.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in element && !name.startsWith('aria')) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const percent = (p) => `${(100 * p).toFixed(p > 0.9995 || p < 0.0005 ? 0 : 1)} %`;
export const ms = (t) => (t >= 99.5 ? `${t.toFixed(0)} ms` : t >= 9.95 ? `${t.toFixed(1)} ms` : `${t.toFixed(2)} ms`);
export const bytes = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)} MB` : `${(n / 1e3).toFixed(1)} KB`);
export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/**
 * A button that copies; where the browser does not permit it, the text is selected, ready for the usual keys.
 * @param {HTMLButtonElement} button @param {() => string} text @param {HTMLElement} shown
 */
export function wireCopy(button, text, shown) {
  button.addEventListener('click', async () => {
    const name = button.textContent;
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch {
      if (shown instanceof HTMLInputElement) shown.select();
      else getSelection()?.selectAllChildren(shown);
      button.textContent = 'Selected';
    }
    setTimeout(() => ['Copied', 'Selected'].includes(button.textContent ?? '') && (button.textContent = name), 1600);
  });
}
