// Pictures for the tests, drawn in the browser in the page's own typefaces.

/**
 * @typedef {{ width: number, height: number, paper?: string, ink?: string, turn?: number, noise?: number, type?: string,
 *   blocks: { x: number, y: number, size: number, lines: string[], face?: string, leading?: number }[] }} Sheet
 *   turn: degrees clockwise; noise: how far a pixel may be off
 * @param {import('playwright-core').Page} page one of the demo's
 * @param {Sheet} sheet
 * @returns {Promise<Buffer>} the file
 */
export async function draw(page, sheet) {
  const base64 = await page.evaluate(async (s) => {
    const { fontReady } = await import(new URL('fonts.js', document.baseURI).href);
    const turn = ((s.turn ?? 0) * Math.PI) / 180;
    const [c, n] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
    const canvas = new OffscreenCanvas(Math.round(s.width * c + s.height * n), Math.round(s.width * n + s.height * c));
    const g = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    g.fillStyle = s.paper ?? '#f6f3ea';
    g.fillRect(0, 0, canvas.width, canvas.height);
    g.translate(canvas.width / 2, canvas.height / 2);
    g.rotate(turn);
    g.translate(-s.width / 2, -s.height / 2);
    g.fillStyle = s.ink ?? '#22262b';
    for (const { x, y, size, lines, face = 'Noto Serif', leading = 1.4 } of s.blocks) {
      g.font = `${size}px "${face}"`;
      await fontReady(g.font, lines.join(''));
      lines.forEach((line, i) => g.fillText(line, x, y + i * size * leading));
    }
    if (s.noise) {
      const image = g.getImageData(0, 0, canvas.width, canvas.height);
      let seed = 7;
      const roll = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
      for (let i = 0; i < image.data.length; i += 4) {
        const off = (roll() * 2 - 1) * s.noise;
        for (let k = 0; k < 3; k++) image.data[i + k] += off;
      }
      g.putImageData(image, 0, 0);
    }
    const blob = await canvas.convertToBlob({ type: s.type ?? 'image/png', quality: 0.9 });
    return new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(String(reader.result).split(',')[1]);
      reader.readAsDataURL(blob);
    });
  }, sheet);
  return Buffer.from(base64, 'base64');
}

const left = ['Layers of a network pass', 'numbers on, and each expects', 'them near zero. When they', 'drift, learning slows down.'];
const right = ['A layer that subtracts the', 'mean and divides by the', 'spread brings them back,', 'every time, at little cost.'];

export const sheets = {
  lines: {
    sheet: { width: 760, height: 420, blocks: [{ x: 50, y: 80, size: 40, lines: ['Seven notes on scale'] }, { x: 50, y: 150, size: 26, face: 'Noto Sans', lines: [...left, 'Nobody planned it so.', 'Room 12, second floor'] }] },
    text: ['Seven notes on scale', ...left, 'Nobody planned it so.', 'Room 12, second floor'],
  },
  columns: {
    sheet: { width: 900, height: 380, blocks: [{ x: 60, y: 70, size: 38, lines: ['Two columns under one heading'] }, { x: 60, y: 150, size: 25, lines: left }, { x: 490, y: 150, size: 25, lines: right }, { x: 410, y: 340, size: 22, lines: ['Page 14'] }] },
    text: ['Two columns under one heading', ...left, ...right, 'Page 14'],
  },
  receipt: {
    sheet: { width: 560, height: 300, blocks: [{ x: 40, y: 60, size: 26, face: 'Noto Sans Mono', lines: ['Espresso', 'Mineral water', 'Apple cake', 'Total'] }, { x: 420, y: 60, size: 26, face: 'Noto Sans Mono', lines: ['2.80', '3.10', '4.20', '10.10'] }] },
    text: ['Espresso', '2.80', 'Mineral water', '3.10', 'Apple cake', '4.20', 'Total', '10.10'],
  },
};
const note = { width: 640, height: 300, blocks: [{ x: 50, y: 80, size: 32, lines: ['Held at an angle', 'the page must still be read', 'from the first line down'], leading: 1.6 }] };
for (const turn of [90, 180, 270, 20, -35, 110]) sheets[`turned ${turn}`] = { sheet: { ...note, turn }, text: note.blocks[0].lines };
sheets.faint = { sheet: { ...note, paper: '#b4b4b4', ink: '#9c9c9c' }, text: note.blocks[0].lines };
sheets.grainy = { sheet: { ...note, noise: 90 }, text: note.blocks[0].lines };
sheets.noise = { sheet: { ...note, noise: 255, paper: '#909090', ink: '#707070' }, text: [] };
sheets.ghost = { sheet: { ...note, noise: 6, paper: '#b4b4b4', ink: '#b0b0b0' }, text: [] };
