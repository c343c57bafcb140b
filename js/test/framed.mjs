// What a frame that asks for isolation gets in a page that has none.
import { init } from './package.mjs';

const { threads } = await init();
const refused = await init({ threads: 2 }).catch(({ code }) => code);
parent.postMessage({ threads, refused, isolated: globalThis.crossOriginIsolated }, '*');
