// What pages of the site have in common and the build writes into each: the navigation, the policy, and the hint about
// threads of hosts without the headers of isolation.

import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { policy } from './headers.mjs';
import { offer } from './src/threads.js';

/** The site in the order of its navigation; a page that is not there is left out. @type {{ name: string, file: string, group?: string }[]} */
export const pages = [
  { name: 'Read', file: 'index.html' },
  { name: 'Write', file: 'write.html' },
  { name: 'Race', file: 'lab.html', group: 'Lab' },
  { name: 'Axes', file: 'axes.html', group: 'Lab' },
  { name: 'Draw', file: 'draw.html', group: 'Lab' },
  { name: 'Names', file: 'names.html', group: 'Lab' },
  { name: 'Choose', file: 'choose.html', group: 'Lab' },
  { name: 'Experiments', file: 'experiments.html', group: 'Lab' },
  { name: 'Bench', file: 'bench.html' },
  { name: 'Normalizations', file: 'which.html' },
  { name: 'API', file: 'api.html' },
];

/** Relative, since the site may lie below any path. @param {string} file */
const address = (file) => (file === 'index.html' ? './' : file);

/**
 * The navigation as it stands on a page.
 * @param {string} current the page's file @param {readonly string[]} there the files of the pages that exist
 */
export function navigation(current, there) {
  const link = ({ name, file }) => `<li><a href="${address(file)}"${file === current ? ' aria-current="page"' : ''}>${name}</a></li>`;
  const shown = pages.filter((p) => there.includes(p.file));
  const items = [];
  for (const page of shown) {
    if (!page.group) items.push(link(page));
    else if (page === shown.find((p) => p.group === page.group)) {
      const members = shown.filter((p) => p.group === page.group);
      items.push(`<li class="group"><span id="site-${page.group.toLowerCase()}">${page.group}</span><ul aria-labelledby="site-${page.group.toLowerCase()}">${members.map(link).join('')}</ul></li>`);
    }
  }
  return `<nav class="site" aria-label="Site"><ul>${items.join('')}</ul></nav>`;
}

/**
 * Fills the places that the pages in a folder leave for the navigation, for the hint about threads, and for the policy,
 * which holds on any host that way, whatever headers it sends.
 * @param {string} out
 */
export async function finishPages(out) {
  const there = (await readdir(out)).filter((f) => f.endsWith('.html'));
  for (const name of there) {
    const html = await readFile(join(out, name), 'utf8');
    await writeFile(join(out, name), html
      .replace('<!-- policy -->', `<meta http-equiv="Content-Security-Policy" content="${policy}">`)
      .replace('<!-- navigation -->', navigation(name, there))
      .replace('<!-- threads -->', offer({ isolated: false, cores: 1 }).says));
  }
}
