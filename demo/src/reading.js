// Shows one reading: the picture with its lines marked, the text, and how sure each line and character is.

import { $, make, percent, plural, wireCopy } from './dom.js';

const STEP = 8; // columns of the strip a recognition step stands for

const grade = (c) => (c >= 0.98 ? 'sure' : c >= 0.85 ? 'fair' : 'unsure');
const visible = (text) => (text === '' ? 'nothing at all' : text === ' ' ? 'space' : `“${text}”`);

/** @typedef {{ text: string, confidence: number, step: number, other: { text: string, confidence: number }, measured?: boolean }} Character */
/** @type {{ text: string, characters: Character[], confidence: number, legible: boolean, columns: number, bitmap: ImageBitmap }[]} */
let lines = [];
/** The chosen line, and the chosen character in it or −1. */
let at = { line: 0, character: -1 };
let summary = '';

function paint(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
}

/** @param {any} message */
export function showPicture({ bitmap, rects, width, height, turn }) {
  for (const line of lines) line?.bitmap.close();
  lines = [];
  at = { line: 0, character: -1 };
  const frame = $('picture');
  paint(frame.querySelector('canvas'), bitmap);
  bitmap.close();
  frame.querySelectorAll('i').forEach((e) => e.remove());
  frame.classList.toggle('many', rects.length > 6);
  frame.append(...rects.map((r, i) => {
    const mark = make('i');
    mark.style.left = `${(100 * (r.cx - r.width / 2)) / width}%`;
    mark.style.top = `${(100 * (r.cy - r.height / 2)) / height}%`;
    mark.style.width = `${(100 * r.width) / width}%`;
    mark.style.height = `${(100 * r.height) / height}%`;
    mark.style.transform = `rotate(${r.angle}deg)`;
    mark.onclick = () => choose(i, -1);
    return mark;
  }));
  $('text').replaceChildren();
  $('detail').textContent = '';
  $('strip').hidden = true;
  $('copy').disabled = true;
  showTurn(turn, rects.length);
}

function showTurn({ quarters, lean, upsideDown, turned, unsure, asked }, found) {
  $('needle').style.transform = `rotate(${quarters * 90 + lean}deg)`;
  $('verdict').hidden = !found;
  const degrees = (d) => `${Math.abs(d).toFixed(1).replace('.0', '')}°`;
  const what = { 0: 'The right way up. ', 1: 'Lying on its side: it was turned by 90° to the right. ', 2: 'Upside down: it was turned. ', 3: 'Lying on its side: it was turned by 90° to the left. ' }[quarters];
  $('verdict-text').replaceChildren(
    make('strong', null, what),
    lean ? `Levelled by ${degrees(lean)}. ` : '',
    make('span', { className: 'how' }, unsure
      ? `The direction network hesitated (${percent(upsideDown)} upside down), so it was read both ways and the surer reading was kept.`
      : `The direction network is ${percent(turned ? upsideDown : 1 - upsideDown)} sure, from ${plural(asked, 'look')}.`),
  );
}

/** One line more. @param {any} message */
export function showLine({ index, text, characters, confidence, legible, columns, bitmap }) {
  lines[index] = { text, characters, confidence, legible, columns, bitmap };
  $('picture').querySelectorAll('i')[index]?.classList.add(legible ? 'read' : 'unread');
  const place = make('div', { className: 'line', 'data-line': String(index) });
  if (legible) {
    place.append(
      make('div', { className: 'characters', role: 'listbox', 'aria-orientation': 'horizontal', 'aria-label': `Line ${index + 1}, ${percent(confidence)} sure. Characters read: use the arrow keys to hear how sure each one is.` },
        ...characters.map((c, i) => make('span', {
          role: 'option',
          id: `c${index}-${i}`,
          className: grade(c.confidence),
          tabIndex: index === 0 && i === 0 ? 0 : -1,
          'aria-selected': 'false',
          'aria-label': `${c.text === ' ' ? 'space' : c.text}, ${c.measured ? 'put in' : percent(c.confidence)}`,
          textContent: c.text,
        }))),
    );
    // Shown by the style sheet, so that selecting the text selects nothing else.
    place.classList.add(grade(confidence));
    place.dataset.share = percent(confidence);
  } else place.append(make('p', { className: 'lost' }, 'a line that could not be read'));
  place.append('\n');
  const after = [...$('text').children].find((e) => Number(/** @type {HTMLElement} */ (e).dataset.line) > index);
  $('text').insertBefore(place, after ?? null);
  if (!document.querySelector('#text [tabindex="0"]')) document.querySelector('#text [role="option"]')?.setAttribute('tabindex', '0');
  if (legible && ($('strip').hidden || !lines[at.line]?.legible)) choose(index, -1);
}

/** @param {{ lines: number, legible: number }} result @param {string | undefined} truth what was drawn, where the page knows it */
export function showDone({ lines: all, legible }, truth) {
  const text = wholeText();
  $('copy').disabled = !text;
  // What turned out to be no writing.
  for (const mark of $('picture').querySelectorAll('i:not(.read, .unread)')) mark.hidden = true;
  $('copy').textContent = legible > 1 ? 'Copy all' : 'Copy';
  const seen = lines.filter((l) => l?.legible);
  const count = seen.reduce((n, l) => n + l.characters.length, 0);
  const mean = seen.reduce((n, l) => n + l.confidence * l.characters.length, 0) / (count || 1);
  const compared = truth === undefined || !seen.length ? '' : compare(text, truth);
  const lost = all - legible;
  summary = `${compared}${legible > 1 ? `${legible} lines, ` : ''}${percent(mean)} sure on average.${lost ? ` ${plural(lost, 'line')} could not be read.` : ''}`;
  describe();
  $('announce').textContent = `Read: ${text.replace(/\n/g, ' / ')}. ${summary}`;
}

export const wholeText = () => lines.filter((l) => l?.legible).map((l) => l.text).join('\n');

/** Edit distance in characters. */
function compare(read, truth) {
  const want = [...truth.trim()], got = [...read.replace(/\n/g, ' ')];
  let row = want.map((_, j) => j + 1);
  got.forEach((g, i) => {
    let left = i + 1, above = i;
    row = want.map((w, j) => {
      const cost = Math.min(row[j] + 1, left + 1, above + (g === w ? 0 : 1));
      above = row[j];
      left = cost;
      return cost;
    });
  });
  const errors = row.at(-1) ?? got.length;
  return errors ? `${plural(errors, 'character')} not as drawn. ` : 'Exactly as drawn. ';
}

function describe() {
  const detail = $('detail');
  const c = lines[at.line]?.characters[at.character];
  if (!c) detail.textContent = summary;
  else if (c.measured) detail.replaceChildren(make('b', null, 'space'), ' put in where the letters stand apart; the network had passed over it');
  else detail.replaceChildren(make('b', null, visible(c.text)), ` ${percent(c.confidence)}; next best ${visible(c.other.text)} ${percent(c.other.confidence)}`);
}

const several = () => $('text').children.length > 1;
const option = (line, character) => document.getElementById(`c${line}-${character}`);

/** Marks a line in the picture and shows it as the network saw it; −1 for no character of it. */
function choose(line, character) {
  option(at.line, at.character)?.setAttribute('aria-selected', 'false');
  if (!lines[line]?.legible) return;
  const other = at.line !== line || $('strip').hidden;
  at = { line, character };
  if (other) {
    $('strip').hidden = false;
    paint($('strip').querySelector('canvas'), lines[line].bitmap);
    $('picture').querySelectorAll('i').forEach((e, i) => e.classList.toggle('chosen', i === line && several()));
    for (const e of $('text').children) e.classList.toggle('chosen', Number(e.dataset.line) === line && several());
  }
  const mark = $('mark');
  mark.hidden = character < 0;
  if (character >= 0) {
    option(line, character)?.setAttribute('aria-selected', 'true');
    const { columns, characters } = lines[line];
    mark.style.left = `${Math.min(100, (100 * (characters[character].step + 0.5) * STEP) / columns)}%`;
    mark.style.width = `${(100 * 3 * STEP) / columns}%`;
  }
  describe();
}

const under = (event) => {
  const [, line, character] = event.target.closest?.('#text [role="option"]')?.id.match(/^c(\d+)-(\d+)$/) ?? [];
  return line === undefined ? undefined : /** @type {const} */ ([Number(line), Number(character)]);
};

/** Pointer and keyboard on the text: one stop for Tab, arrows within and between the lines. */
export function wireText() {
  const text = $('text');
  const go = (event) => {
    const to = under(event);
    if (to) choose(...to);
  };
  text.addEventListener('pointerover', go);
  text.addEventListener('click', (event) => {
    const line = event.target.closest?.('.line');
    if (line && !under(event)) choose(Number(line.dataset.line), -1);
  });
  text.addEventListener('pointerleave', () => choose(at.line, -1));
  text.addEventListener('focusin', go);
  text.addEventListener('focusout', () => choose(at.line, -1));
  text.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = under(event);
    if (!here) return;
    const [line, character] = here;
    const legible = lines.flatMap((l, i) => (l?.legible ? [i] : []));
    const beside = (by) => legible[legible.indexOf(line) + by] ?? line;
    const to = {
      ArrowRight: [line, character + 1], ArrowLeft: [line, character - 1], Home: [line, 0], End: [line, Infinity],
      ArrowDown: [beside(1), character], ArrowUp: [beside(-1), character],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const target = option(to[0], Math.max(0, Math.min(lines[to[0]].characters.length - 1, to[1])));
    for (const span of text.querySelectorAll('[tabindex="0"]')) span.tabIndex = -1;
    if (target) {
      target.tabIndex = 0;
      target.focus();
    }
  });
  wireCopy($('copy'), wholeText, text);
}
