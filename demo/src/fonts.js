// The typefaces that lines and samples are drawn in come with the page: what is drawn, and so what is read, does not
// depend on what happens to be installed. The build copies them out of the @fontsource packages named here.

// The two parts that each face is divided into, by the characters they hold. A part is fetched when a text needs it.
const LATIN = 'U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD';
const EXTENDED = 'U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF';

/** Packages of the npm scope @fontsource. */
export const packages = ['noto-sans', 'noto-serif', 'noto-sans-mono'];

export const fontFiles = [
  ['Noto Sans', 'noto-sans', 400, 'normal'],
  ['Noto Sans', 'noto-sans', 700, 'normal'],
  ['Noto Serif', 'noto-serif', 400, 'normal'],
  ['Noto Serif', 'noto-serif', 400, 'italic'],
  ['Noto Sans Mono', 'noto-sans-mono', 400, 'normal'],
].flatMap(([family, name, weight, style]) => [['latin', LATIN], ['latin-ext', EXTENDED]].map(([part, unicodeRange]) => ({
  family: String(family), weight: String(weight), style: String(style), unicodeRange, package: String(name), file: `${name}-${part}-${weight}-${style}.woff2`,
})));

let declared = false;

/**
 * Waits until `text` can be drawn in `font` (a CSS font shorthand). Where a file does not arrive, the text is drawn
 * in what the browser has: rather another face than no line.
 * @param {string} font
 * @param {string} text
 */
export async function fontReady(font, text) {
  if (!declared) {
    declared = true;
    for (const { family, weight, style, unicodeRange, file } of fontFiles) {
      document.fonts.add(new FontFace(family, `url(${new URL(`fonts/${file}`, import.meta.url)})`, { weight, style, unicodeRange }));
    }
  }
  await document.fonts.load(font, text).catch(() => []);
}
