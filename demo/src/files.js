// Fetches the page's own files with progress, and says plainly what went wrong when one does not arrive.

/**
 * @param {string} path
 * @param {(loaded: number) => void} onProgress bytes after decompression
 */
export async function download(path, onProgress) {
  const url = new URL(path, import.meta.url);
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${path} could not be fetched: the connection failed.`);
  }
  if (!response.ok) throw new Error(`${path} could not be fetched: the server answered ${response.status}.`);
  if (/text\/html/.test(response.headers.get('content-type') ?? '')) {
    throw new Error(`${path} is missing: the server sent a web page in its place.`);
  }
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const parts = [];
  let loaded = 0;
  try {
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      loaded += value.length;
      onProgress(loaded);
    }
  } catch {
    throw new Error(`${path} broke off after ${loaded.toLocaleString('en')} bytes.`);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What the browser really transferred, from its own measurements. @param {readonly string[]} paths */
export function transfers(paths) {
  const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType('resource'));
  return paths.map((path) => {
    const entry = entries.filter((e) => new URL(e.name).pathname.endsWith(`/${path}`)).at(-1);
    return {
      path,
      transferred: entry?.transferSize ?? 0,
      encoded: entry?.encodedBodySize ?? 0,
      decoded: entry?.decodedBodySize ?? 0,
    };
  });
}
