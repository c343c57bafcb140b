// What visitors bring, made ready for the worker: most files as they are, SVG drawn first.

// What createImageBitmap cannot open in a worker. The longer side is drawn this large.
const SVG_SIDE = 1600;

/** @param {Blob} file @returns {Promise<boolean>} */
async function isSvg(file) {
  if (file.type === 'image/svg+xml') return true;
  if (file.type && file.type !== 'text/xml' && file.type !== 'application/xml') return false;
  return /<svg[\s>]/.test(await file.slice(0, 4096).text());
}

/**
 * @param {File | Blob} file
 * @returns {Promise<{ image: Blob | ImageBitmap, transfer: Transferable[] }>}
 */
export async function prepared(file) {
  if (!(await isSvg(file))) return { image: file, transfer: [] };
  const drawing = new DOMParser().parseFromString(await file.text(), 'image/svg+xml');
  const root = drawing.documentElement;
  if (root.localName !== 'svg' || drawing.querySelector('parsererror')) throw new Error('This SVG file is damaged: it is no well-formed XML.');
  // Browsers disagree about the size of a drawing that names none: it is always given one.
  const [, , boxWidth, boxHeight] = (root.getAttribute('viewBox') ?? '').trim().split(/[\s,]+/).map(Number);
  const length = (name) => (/^[\d.]+(px)?$/.test(root.getAttribute(name) ?? '') ? parseFloat(root.getAttribute(name) ?? '') : NaN);
  const width = length('width') || boxWidth || 300, height = length('height') || boxHeight || 150;
  const scale = SVG_SIDE / Math.max(width, height);
  const to = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (!root.hasAttribute('viewBox')) root.setAttribute('viewBox', `0 0 ${width} ${height}`);
  root.setAttribute('width', String(to[0]));
  root.setAttribute('height', String(to[1]));
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(drawing)], { type: 'image/svg+xml' }));
  try {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = to;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const image = await createImageBitmap(canvas);
    return { image, transfer: [image] };
  } catch {
    throw new Error('This SVG file is damaged, or not a drawing that this browser can show.');
  } finally {
    URL.revokeObjectURL(url);
  }
}
