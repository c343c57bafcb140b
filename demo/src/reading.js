// Shows one reading: the picture, the straightened strip, the text and how sure each character is.

import { $, make, percent, plural } from './dom.js';

const STEP = 8; // columns of the strip a recognition step stands for

const grade = (c) => (c >= 0.98 ? 'sure' : c >= 0.85 ? 'fair' : 'unsure');
const visible = (text) => (text === '' ? 'nothing at all' : text === ' ' ? 'space' : `“${text}”`);

/** @type {{ text: string, confidence: number, step: number, other: { text: string, confidence: number } }[]} */
let characters = [];
let columns = 1;
let current = -1;
let summary = '';

function paint(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
}

const place = (element, box, { width, height }) => {
  element.style.left = `${(100 * box.x) / width}%`;
  element.style.top = `${(100 * box.y) / height}%`;
  element.style.width = `${(100 * box.width) / width}%`;
  element.style.height = `${(100 * box.height) / height}%`;
};

/** @param {any} message @param {(index: number) => void} onLine another line was chosen */
export function showPicture({ bitmap, lines, index, width, height }, onLine) {
  const frame = $('picture');
  const had = frame.contains(document.activeElement);
  paint(frame.querySelector('canvas'), bitmap);
  frame.querySelectorAll('button, i').forEach((e) => e.remove());
  const several = lines.length > 1;
  frame.classList.toggle('many', lines.length > 6);
  lines.forEach((box, i) => {
    const mark = several
      ? make('button', { type: 'button', 'aria-pressed': i === index, 'aria-label': `Read line ${i + 1} of ${lines.length}`, onclick: () => onLine(i) })
      : make('i');
    place(mark, box, { width, height });
    frame.append(mark);
    if (had && several && i === index) mark.focus();
  });
  $('lines-hint').hidden = !several;
}

export function showStraight({ bitmap, upsideDown, turned, unsure, lean, windows, bothWays }) {
  paint($('strip').querySelector('canvas'), bitmap);
  $('needle').style.transform = `rotate(${turned ? 180 : 0}deg)`;
  const looks = windows > 1 ? `, from ${windows} looks along the line` : '';
  $('verdict').replaceChildren(
    make('strong', null, turned ? 'Upside down: it was turned. ' : 'The right way up. '),
    unsure
      ? `The direction network hesitated (${percent(upsideDown)} upside down), so the line was read both ways and the surer reading was kept (${percent(Math.max(...bothWays))} against ${percent(Math.min(...bothWays))}).`
      : `The direction network is ${percent(turned ? upsideDown : 1 - upsideDown)} sure${looks}.`,
    lean ? ` Before that the picture was levelled by ${Math.abs(lean).toFixed(1).replace('.0', '')}°.` : '',
  );
}

/** @param {string | undefined} truth what was drawn, where the page knows it */
export function showText(result, truth) {
  characters = result.characters;
  columns = result.columns;
  current = -1;
  $('mark').hidden = true;
  const line = $('text');
  line.replaceChildren(
    ...characters.map((c, i) =>
      make('span', {
        role: 'option',
        id: `c${i}`,
        className: grade(c.confidence),
        tabIndex: i === 0 ? 0 : -1,
        'aria-selected': 'false',
        'aria-label': `${c.text === ' ' ? 'space' : c.text}, ${c.measured ? 'put in' : percent(c.confidence)}`,
        textContent: c.text,
      })),
  );
  if (!characters.length) line.textContent = '…';
  const least = characters.reduce((a, c) => (!c.measured && c.confidence < a.confidence ? c : a), { text: '', confidence: 1 });
  const mean = characters.reduce((sum, c) => sum + c.confidence, 0) / (characters.length || 1);
  const compared = truth === undefined || !characters.length ? '' : compare(result.text, truth);
  summary = characters.length
    ? `${compared}${percent(mean)} sure on average; least of ${visible(least.text)}, ${percent(least.confidence)}.`
    : 'The reading network saw no characters here.';
  describe();
  $('echo').hidden = !characters.length;
  $('echo').lastChild.textContent = result.text;
  $('announce').textContent = characters.length ? `Read: ${result.text}. ${summary}` : summary;
}

/** Edit distance in characters. */
function compare(read, truth) {
  const want = [...truth.trim()], got = [...read];
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
  const c = characters[current];
  if (!c) {
    detail.textContent = summary;
    return;
  }
  if (c.measured) return detail.replaceChildren(make('b', null, 'space'), ' put in where the letters stand apart; the network had passed over it');
  detail.replaceChildren(make('b', null, visible(c.text)), ` ${percent(c.confidence)}; next best ${visible(c.other.text)} ${percent(c.other.confidence)}`);
}

function select(i) {
  const spans = $('text').children;
  if (current >= 0) spans[current]?.setAttribute('aria-selected', 'false');
  current = i;
  const mark = $('mark');
  mark.hidden = i < 0;
  if (i >= 0) {
    spans[i].setAttribute('aria-selected', 'true');
    mark.style.left = `${Math.min(100, (100 * (characters[i].step + 0.5) * STEP) / columns)}%`;
    mark.style.width = `${(100 * 3 * STEP) / columns}%`;
  }
  describe();
}

const at = (event) => {
  const span = event.target.closest?.('#text span');
  return span ? Number(span.id.slice(1)) : -1;
};

/** Pointer and keyboard on the text: one stop for Tab, arrows within. */
export function wireText() {
  const line = $('text');
  line.addEventListener('pointerover', (e) => select(at(e)));
  line.addEventListener('pointerleave', () => select(-1));
  line.addEventListener('focusin', (e) => select(at(e)));
  line.addEventListener('focusout', () => select(-1));
  line.addEventListener('keydown', (e) => {
    const last = characters.length - 1;
    const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: last }[e.key];
    if (to === undefined || last < 0 || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    const i = Math.max(0, Math.min(last, to));
    for (const span of line.children) span.tabIndex = -1;
    line.children[i].tabIndex = 0;
    line.children[i].focus();
  });
  $('copy').addEventListener('click', async () => {
    const text = characters.map((c) => c.text).join('');
    try {
      await navigator.clipboard.writeText(text);
      $('copy').textContent = 'Copied';
    } catch {
      // Without permission the text is selected instead, ready for the usual keys.
      getSelection()?.selectAllChildren(line);
      $('copy').textContent = 'Selected';
    }
    setTimeout(() => ($('copy').textContent = 'Copy'), 1600);
  });
}
