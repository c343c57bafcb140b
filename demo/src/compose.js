// Draws a typed line, and the samples. Samples are drawn rather than shipped: no pictures of others, little to download.

import { fontReady } from './fonts.js';

// What the page's own faces lack (Chinese, say) comes from the generic family.
const FACES = {
  sans: (px) => `${px}px "Noto Sans", sans-serif`,
  serif: (px) => `${px}px "Noto Serif", serif`,
  italic: (px) => `italic ${px}px "Noto Serif", serif`,
  bold: (px) => `bold ${px}px "Noto Sans", sans-serif`,
  mono: (px) => `${px}px "Noto Sans Mono", monospace`,
};

/** @typedef {{ text: string, face: keyof typeof FACES, size: number, upside: boolean, dark: boolean }} Line */

function blank(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  return canvas;
}

const pen = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));

function measure(text, font) {
  const context = pen(blank(1, 1));
  context.font = font;
  return context.measureText(text).width;
}

/** @param {Line} line */
export async function drawLine({ text, face, size, upside, dark }) {
  const font = FACES[face](size);
  await fontReady(font, text);
  const canvas = blank(measure(text, font) + size * 1.4, size * 2.2);
  const context = pen(canvas);
  context.fillStyle = dark ? '#182226' : '#fbf9f3';
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (upside) halfTurn(context, canvas);
  context.font = font;
  context.fillStyle = dark ? '#f2efe6' : '#1c2326';
  context.fillText(text, size * 0.7, size * 1.42);
  return canvas;
}

function halfTurn(context, canvas) {
  context.translate(canvas.width, canvas.height);
  context.rotate(Math.PI);
}

/** A small generator with a seed, so that a sample looks the same each time. */
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Grain of film or paper: each pixel a little brighter or darker. */
function grain(canvas, amount, seed) {
  const context = pen(canvas);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const roll = dice(seed);
  for (let i = 0; i < image.data.length; i += 4) {
    const n = (roll() + roll() - 1) * amount;
    for (let c = 0; c < 3; c++) image.data[i + c] += n;
  }
  context.putImageData(image, 0, 0);
}

function shade(context, width, height, from, to) {
  const light = context.createRadialGradient(width * 0.35, height * 0.2, height * 0.2, width * 0.45, height * 0.4, width * 0.75);
  light.addColorStop(0, from);
  light.addColorStop(1, to);
  context.fillStyle = light;
  context.fillRect(0, 0, width, height);
}

/** A sample: `paint` draws on 720 × 220; `text` is the truth, to compare with, its lines one after the other. */
export const samples = [
  {
    name: 'Enamel sign',
    text: 'GAUSS LANE 1777',
    paint(canvas, g) {
      shade(g, 720, 220, '#d8d2c6', '#a89f90');
      g.fillStyle = '#123f7a';
      g.beginPath();
      g.roundRect(40, 32, 640, 156, 18);
      g.fill();
      g.strokeStyle = '#f4f6f8';
      g.lineWidth = 5;
      g.beginPath();
      g.roundRect(52, 44, 616, 132, 12);
      g.stroke();
      g.fillStyle = '#f4f6f8';
      g.textAlign = 'center';
      g.font = FACES.bold(52);
      g.fillText('GAUSS LANE 1777', 360, 129);
      grain(canvas, 16, 3);
    },
  },
  {
    name: 'Note, upside down',
    text: 'Turn me round and read me again',
    paint(canvas, g) {
      shade(g, 720, 220, '#6f7f7a', '#4a5753');
      halfTurn(g, canvas);
      g.fillStyle = '#f6e58f';
      g.fillRect(30, 26, 660, 168);
      g.fillStyle = 'rgb(90 70 0 / 8%)';
      g.fillRect(30, 26, 660, 34);
      g.fillStyle = '#2c3a66';
      g.font = FACES.italic(36);
      g.textAlign = 'center';
      g.fillText('Turn me round and read me again', 360, 130);
      grain(canvas, 12, 5);
    },
  },
  {
    name: 'Receipt',
    text: 'Espresso 2.80 EUR, thanks',
    paint(canvas, g) {
      shade(g, 720, 220, '#f3f1ec', '#cfcac0');
      g.fillStyle = '#4b4a4e';
      g.font = FACES.mono(42);
      g.fillText('Espresso 2.80 EUR, thanks', 48, 124);
      grain(canvas, 34, 7);
    },
  },
  {
    name: 'Blackboard',
    text: 'Mean zero, variance one.',
    paint(canvas, g) {
      shade(g, 720, 220, '#35564a', '#1b2f28');
      g.fillStyle = '#e9efe8';
      g.globalAlpha = 0.88;
      g.font = FACES.serif(50);
      g.fillText('Mean zero, variance one.', 48, 128);
      g.globalAlpha = 1;
      grain(canvas, 30, 11);
    },
  },
  {
    name: 'Departure board',
    text: '14:02 Zurich HB platform 7',
    paint(canvas, g) {
      g.fillStyle = '#0d0e10';
      g.fillRect(0, 0, 720, 220);
      g.fillStyle = '#17181b';
      for (let x = 24; x < 700; x += 27) g.fillRect(x, 66, 25, 88);
      g.fillStyle = '#ffb52e';
      g.font = FACES.mono(41);
      g.fillText('14:02 Zurich HB platform 7', 36, 124);
    },
  },
  {
    name: 'Typewriter',
    text: 'A tired ribbon, still legible',
    paint(canvas, g) {
      shade(g, 720, 220, '#efe6d2', '#d9cbb0');
      const roll = dice(19);
      g.fillStyle = '#22242c';
      g.font = FACES.mono(36);
      [...'A tired ribbon, still legible'].forEach((letter, i) => {
        g.globalAlpha = 0.38 + 0.55 * roll();
        g.fillText(letter, 44 + i * 21.8, 122 + Math.round(roll() * 4 - 2));
      });
      g.globalAlpha = 1;
      grain(canvas, 22, 19);
    },
  },
  {
    name: 'Label, held askew',
    text: 'Keep dry and read level',
    paint(canvas, g) {
      shade(g, 720, 220, '#c9a77c', '#8e6d48');
      g.translate(360, 110);
      g.rotate((-5.5 * Math.PI) / 180);
      g.fillStyle = '#fbfaf6';
      g.beginPath();
      g.roundRect(-330, -52, 660, 104, 8);
      g.fill();
      g.fillStyle = '#1d1d1f';
      g.textAlign = 'center';
      g.font = FACES.bold(44);
      g.fillText('Keep dry and read level', 0, 15);
      g.setTransform(1, 0, 0, 1, 0, 0);
      grain(canvas, 14, 17);
    },
  },
  {
    name: 'Two lines',
    text: 'The first line is the title and the second one is printed rather small.',
    paint(canvas, g) {
      shade(g, 720, 220, '#fdfbf5', '#e6e0d2');
      g.fillStyle = '#20262b';
      g.font = FACES.serif(46);
      g.fillText('The first line is the title', 54, 98);
      g.font = FACES.sans(25);
      g.fillStyle = '#4c545a';
      g.fillText('and the second one is printed rather small.', 56, 158);
      grain(canvas, 10, 13);
    },
  },
];

/** @param {(typeof samples)[number]} sample */
export async function drawSample(sample) {
  // Plain letters are in the first part of each face, whichever of them the sample takes.
  await Promise.all(Object.values(FACES).map((face) => fontReady(face(40), sample.text)));
  const canvas = blank(720, 220);
  sample.paint(canvas, pen(canvas));
  return canvas;
}
