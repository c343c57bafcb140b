// Chromium for the tests, on machines with any fonts or none.

import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { again } from '../../js/test/again.mjs';

/** The OpenType file inside a WOFF one: the same tables, each inflated, behind another directory. @param {Buffer} woff */
function opentype(woff) {
  const count = woff.readUInt16BE(12);
  const tables = Array.from({ length: count }, (_, i) => {
    const at = 44 + 20 * i;
    const [offset, packed, length] = [4, 8, 12].map((o) => woff.readUInt32BE(at + o));
    const bytes = woff.subarray(offset, offset + packed);
    return { tag: woff.subarray(at, at + 4), sum: woff.readUInt32BE(at + 16), bytes: packed < length ? inflateSync(bytes) : bytes };
  });
  const head = Buffer.alloc(12 + 16 * count);
  woff.copy(head, 0, 4, 8);
  head.writeUInt16BE(count, 4);
  const power = 2 ** Math.floor(Math.log2(count));
  [16 * power, Math.log2(power), 16 * (count - power)].forEach((v, i) => head.writeUInt16BE(v, 6 + 2 * i));
  const parts = [head];
  let at = head.length;
  tables.forEach(({ tag, sum, bytes }, i) => {
    tag.copy(head, 12 + 16 * i);
    [sum, at, bytes.length].forEach((v, k) => head.writeUInt32BE(v, 16 + 16 * i + 4 * k));
    const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
    parts.push(padded);
    at += padded.length;
  });
  return Buffer.concat(parts);
}

/**
 * Where no font is installed at all, Chromium's tabs crash at the first text field, on any page. So the machine's fonts
 * are joined by one more; what the page draws does not depend on it, since it brings its own faces.
 */
export async function launch() {
  const home = await mkdtemp(join(tmpdir(), 'demo-fonts-'));
  const config = join(home, 'fonts.conf');
  const woff = new URL('../node_modules/@fontsource/noto-sans/files/noto-sans-latin-400-normal.woff', import.meta.url);
  await writeFile(join(home, 'one.ttf'), opentype(await readFile(woff)));
  const escaped = (path) => path.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  await writeFile(config, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">${escaped(process.env.FONTCONFIG_FILE ?? '/etc/fonts/fonts.conf')}</include>
<dir>${escaped(home)}</dir><cachedir>${escaped(join(home, 'cache'))}</cachedir></fontconfig>`);
  const known = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => `/usr/bin/${name}`);
  const there = await Promise.all(known.map((path) => access(path).then(() => path, () => '')));
  const browser = await again(() => chromium.launch({
    executablePath: process.env.CHROMIUM ?? there.find(Boolean),
    timeout: 300_000,
    env: { ...process.env, FONTCONFIG_FILE: config },
    args: ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
  }));
  browser.on('disconnected', () => rm(home, { recursive: true, force: true }).catch(() => {}));
  return browser;
}
