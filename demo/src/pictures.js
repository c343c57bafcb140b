// What visitors bring, made ready for the worker: most files as they are, SVG drawn first.

// What createImageBitmap cannot open in a worker. The longer side is drawn this large.
const SVG_SIDE = 1600;
const DAMAGED = 'This SVG file is damaged, or not a drawing that this browser can show.';

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
  // The text is changed rather than a parsed document: parsing applies the page's policy to the drawing's own styles.
  const text = await file.text();
  const tag = text.replace(/<!--[^]*?-->/g, (comment) => ' '.repeat(comment.length)).match(/<(?:[\w.-]+:)?svg(?=[\s>/])(?:[^>"']|"[^"]*"|'[^']*')*>/);
  if (!tag) throw new Error(DAMAGED);
  const attribute = (name) => tag[0].match(new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`))?.slice(1).find((v) => v !== undefined) ?? '';
  // Browsers disagree about the size of a drawing that names none: it is always given one.
  const [, , boxWidth, boxHeight] = attribute('viewBox').trim().split(/[\s,]+/).map(Number);
  const length = (name) => (/^\s*[\d.]+\s*(px)?\s*$/.test(attribute(name)) ? parseFloat(attribute(name)) : NaN);
  const width = length('width') || boxWidth || 300, height = length('height') || boxHeight || 150;
  const scale = SVG_SIDE / Math.max(width, height);
  const to = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const box = attribute('viewBox') ? '' : ` viewBox="0 0 ${width} ${height}"`;
  const sized = tag[0].replace(/\s(width|height)\s*=\s*("[^"]*"|'[^']*')/g, '').replace(/svg/, `svg${box} width="${to[0]}" height="${to[1]}"`);
  const at = /** @type {number} */ (tag.index);
  const url = URL.createObjectURL(new Blob([text.slice(0, at), sized, text.slice(at + tag[0].length)], { type: 'image/svg+xml' }));
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
    throw new Error(DAMAGED);
  } finally {
    URL.revokeObjectURL(url);
  }
}
