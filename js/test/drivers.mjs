// Chromium, Firefox and WebKitGTK behind one small interface: open a page, run functions in it, close.
// Chromium is driven by the DevTools protocol and Firefox by WebDriver BiDi, both through puppeteer-core;
// WebKitGTK by the W3C WebDriver protocol, which is a few requests, to Debian's WebKitWebDriver under Xvfb.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request as send } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';
import { again } from './again.mjs';

/** @typedef {'chromium' | 'firefox' | 'webkit'} Name */

/**
 * @typedef {object} Browser
 * @property {Name} name
 * @property {string} title what people call it
 * @property {string} version
 * @property {string[]} complaints what the pages wrote to the console, and their uncaught errors
 * @property {(url: string) => Promise<void>} goto opens a page in the one window
 * @property {<A, R>(f: (argument: A) => R | Promise<R>, argument?: A) => Promise<R>} evaluate runs a function, of which only
 *   the source goes over, in the page. Argument and result are what JSON has, and any numbers
 * @property {() => Promise<void>} close ends it, and removes its profile
 */

/** How long the machine may take for a browser's start or one evaluation. */
const patience = 10 * 60_000;

/** The browsers to test: those that NORMWASM_BROWSERS names, separated by commas, or Chromium. @returns {Name[]} */
export function chosen() {
  const names = (process.env.NORMWASM_BROWSERS ?? 'chromium').split(',').map((name) => name.trim()).filter(Boolean);
  for (const name of names) {
    if (!Object.hasOwn(openers, name)) throw new Error(`NORMWASM_BROWSERS: ${JSON.stringify(name)} is none of ${Object.keys(openers).join(', ')}`);
  }
  return /** @type {Name[]} */ (names);
}

const programs = {
  chromium: ['CHROMIUM', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  firefox: ['FIREFOX', '/usr/bin/firefox-esr', '/usr/bin/firefox'],
  webkit: ['WEBKIT_DRIVER', '/usr/bin/WebKitWebDriver'],
};

/** The program of a browser. @param {Name} name */
export function programOf(name) {
  const [variable, ...paths] = programs[name];
  const path = process.env[variable] ?? paths.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is not installed: .ci/browsers installs it, ${variable} names another program`);
  return path;
}

/** @type {Record<Name, (guard: Guard) => Promise<Browser>>} */
const openers = {
  chromium: (guard) => withPuppeteer('chromium', guard),
  firefox: (guard) => withPuppeteer('firefox', guard),
  webkit: withWebDriver,
};

/**
 * Starts a browser with a new profile.
 * @param {Name} name
 * @returns {Promise<Browser>}
 */
export async function open(name) {
  const guard = new Guard();
  try {
    const browser = await openers[name](guard);
    const close = browser.close;
    browser.close = async () => {
      await close().catch(() => {}); // one that has crashed cannot say goodbye
      await guard.end();
    };
    return browser;
  } catch (cause) {
    await guard.end();
    throw new Error(`${name} does not start: ${/** @type {Error} */ (cause).message}`, { cause });
  }
}

// What a browser leaves behind when this process ends in whatever way, SIGKILL included, is cleared away
// by a shell that waits for the end of its input. Processes are ended with all of their group.
const keeper = `
pids=
while read -r word what; do
  case $word in
    pid) pids="$pids $what" ;;
    folder) folder=$what ;;
  esac
done
for pid in $pids; do kill -TERM "-$pid"; done
for i in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for pid in $pids; do kill -0 "-$pid" && left=1; done
  [ -z "$left" ] && break
  sleep 0.2
done
for pid in $pids; do kill -KILL "-$pid"; done
for i in 1 2 3 4 5; do rm -rf -- "$folder" && break; sleep 0.2; done
`;

/** The processes and the folder of one browser. */
class Guard {
  folder = mkdtempSync(join(tmpdir(), 'normwasm-browser-'));

  constructor() {
    // In a group of its own, so that Ctrl+C leaves it at work.
    this.keeper = spawn('sh', ['-c', keeper], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.keeper.stdin?.on('error', () => {});
    this.keeper.unref();
    /** @type {any} */ (this.keeper.stdin).unref?.();
    this.keeper.stdin?.write(`folder ${this.folder}\n`);
  }

  /** @param {number | undefined} pid the leader of a process group */
  watch(pid) {
    if (pid) this.keeper.stdin?.write(`pid ${pid}\n`);
  }

  /**
   * Starts a helper program; its output is kept to explain a failure.
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  start(program, args, env = {}) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, ...env } });
    this.watch(child.pid);
    const running = { child, output: '', failure: /** @type {string | undefined} */ (undefined), listeners: /** @type {((line: string) => void)[]} */ ([]) };
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        running.output = (running.output + text).slice(-4000);
        const lines = (rest + text).split('\n');
        rest = /** @type {string} */ (lines.pop());
        for (const line of lines) for (const listener of running.listeners) listener(line);
      });
      /** @type {any} */ (stream).unref?.();
    }
    child.on('error', (error) => (running.failure = error.message));
    child.on('exit', (code, signal) => (running.failure ??= `${program} ended (${signal ?? code}): ${running.output.trim()}`));
    child.unref();
    return running;
  }

  /** Ends everything and waits until it is gone. */
  async end() {
    if (this.keeper.exitCode !== null) return;
    const gone = new Promise((resolve) => this.keeper.once('exit', resolve));
    this.keeper.ref();
    this.keeper.stdin?.end();
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Asks again and again until there is an answer.
 * @template T
 * @param {string} what
 * @param {() => T | undefined | Promise<T | undefined>} ask
 * @returns {Promise<T>}
 */
async function until(what, ask) {
  for (const end = Date.now() + patience; Date.now() < end; await wait(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`${what} took longer than ${patience / 60_000} minutes`);
}

// JSON has no −0, NaN and infinities, and these are what numeric tests are about.
const encode = `(value) => JSON.stringify(value, (key, v) => (typeof v === 'number' && (Object.is(v, -0) || !Number.isFinite(v)) ? { $number: Object.is(v, -0) ? '-0' : String(v) } : v))`;
const decode = `(text) => (text === undefined ? undefined : JSON.parse(text, (key, v) => (v && typeof v === 'object' && typeof v.$number === 'string' ? Number(v.$number) : v)))`;
/** @type {(value: unknown) => string | undefined} */
const toText = new Function(`return ${encode}`)();
/** @type {(text: string | undefined) => any} */
const fromText = new Function(`return ${decode}`)();

/** The source of a function from text to { value } or { error }, both as text. @param {Function} f */
const wrap = (f) => `async (text) => {
  try { return { result: (${encode})(await (${f})((${decode})(text ?? undefined))) }; }
  catch (error) { return { thrown: String(error?.stack?.includes(error.message) ? error.stack : [error, error?.stack].filter(Boolean).join('\\n')) }; }
}`;

/** @param {string} name @param {{ result?: string | null, thrown?: string }} answer */
function unwrap(name, { result, thrown }) {
  if (typeof thrown === 'string') throw new Error(`in ${name}: ${thrown}`);
  return fromText(result ?? undefined);
}

/**
 * @param {'chromium' | 'firefox'} name
 * @param {Guard} guard
 * @returns {Promise<Browser>}
 */
async function withPuppeteer(name, guard) {
  const chrome = ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  const browser = await again(() => puppeteer.launch({
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath: programOf(name),
    userDataDir: join(guard.folder, 'profile'),
    args: name === 'firefox' ? ['--remote-allow-system-access'] : chrome,
    headless: true,
    timeout: patience,
    protocolTimeout: patience,
    // Firefox would find root's settings of an interactive session, and refuses a home that is not its user's own.
    env: { ...process.env, TMPDIR: guard.folder, ...(name === 'firefox' ? { HOME: guard.folder } : {}), MOZ_CRASHREPORTER_DISABLE: '1' },
    extraPrefsFirefox: {
      'dom.max_script_run_time': 0, // no question whether a page that computes is to be stopped
      'browser.chrome.site_icons': false, // the page's policy forbids pictures
      'app.update.enabled': false, 'datareporting.policy.dataSubmissionEnabled': false,
      'network.captive-portal-service.enabled': false, 'network.connectivity-service.enabled': false,
    },
  }));
  guard.watch(browser.process()?.pid);
  if (name === 'firefox') await leaveWorkers(browser);
  /** @type {string[]} */
  const complaints = [];
  const another = async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('error', () => complaints.push('the page crashed'));
    return page;
  };
  // One of its own: a busy Chromium may still be replacing the one that it starts with, and with it what goes there.
  let page = await another();
  return {
    name,
    title: name === 'firefox' ? 'Firefox' : 'Chromium',
    version: (await browser.version()).replace(/^[^/]*\//, ''),
    complaints,
    async goto(url) {
      for (let tries = 1; ; tries++) {
        try {
          return void (await page.goto(url));
        } catch (error) {
          // It does so with new ones too, now and then.
          if (tries === 5 || !/frame was detached/.test(String(error))) throw error;
          page = await another();
        }
      }
    },
    // A string of source, so that the page's policy and puppeteer's own helpers have no say in it.
    evaluate: async (f, argument) => unwrap(name, /** @type {any} */ (await page.evaluate(`(${wrap(f)})(${JSON.stringify(toText(argument)) ?? ''})`))),
    close: () => browser.close(),
  };
}

/**
 * Has Firefox not watch workers for WebDriver BiDi, which nothing here asks for: with it a worker that starts
 * a worker waits for ever, once in some dozens of times (seen in Firefox 153; without WebDriver it never does).
 * @param {import('puppeteer-core').Browser} browser
 */
async function leaveWorkers(browser) {
  const { connection } = /** @type {any} */ (browser);
  const { result: { contexts: [{ context }] } } = await connection.send('browsingContext.getTree', { 'moz:scope': 'chrome' });
  const { result } = await connection.send('script.evaluate', {
    expression: `ChromeUtils.importESModule('chrome://remote/content/shared/js-process-actors/WebDriverWorkerListenerActor.sys.mjs').unregisterWebDriverWorkerListenerActor()`,
    target: { context }, awaitPromise: false,
  });
  if (result.type !== 'success') console.warn(`Firefox may go on watching workers: ${result.exceptionDetails?.text}`);
}

/** A port that was free a moment ago. @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {Guard} guard
 * @returns {Promise<Browser>}
 */
async function withWebDriver(guard) {
  const driver = programOf('webkit');
  if (spawnSync('sh', ['-c', 'command -v Xvfb']).status !== 0) throw new Error('Xvfb is not installed: .ci/browsers installs it');
  // Xvfb chooses a display that is free, and writes its number once it listens.
  const screen = guard.start('Xvfb', ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp', '-noreset']);
  let display = '';
  screen.listeners.push((line) => (display ||= /^\d+$/.test(line) ? `:${line}` : ''));
  await until('the start of Xvfb', () => {
    if (screen.failure) throw new Error(screen.failure);
    return display || undefined;
  });
  const at = (/** @type {string} */ part) => join(guard.folder, part);
  const environment = {
    DISPLAY: display, HOME: guard.folder, TMPDIR: guard.folder, XDG_CACHE_HOME: at('cache'), XDG_CONFIG_HOME: at('config'), XDG_DATA_HOME: at('data'),
    GDK_BACKEND: 'x11', LIBGL_ALWAYS_SOFTWARE: '1', WEBKIT_DISABLE_DMABUF_RENDERER: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1',
    // No session bus is started, which would outlive us.
    DBUS_SESSION_BUS_ADDRESS: 'disabled:', NO_AT_BRIDGE: '1', GTK_A11Y: 'none', GIO_USE_VFS: 'local', GSETTINGS_BACKEND: 'memory', WAYLAND_DISPLAY: '',
  };
  /** @type {{ url: string, running: ReturnType<Guard['start']> }} */
  const { url, running } = await until('the start of WebKitWebDriver', async () => {
    const port = await freePort();
    const running = guard.start(driver, [`--port=${port}`], environment);
    const url = `http://127.0.0.1:${port}`;
    return until('the start of WebKitWebDriver', async () => {
      // Another process may have been quicker to take the port; then the outer loop tries another.
      if (running.failure && /address|in use|port/i.test(running.failure)) return { url: '', running };
      if (running.failure) throw new Error(running.failure);
      return (await fetch(`${url}/status`).then((r) => r.ok, () => false)) ? { url, running } : undefined;
    }).then((found) => (found.url ? found : undefined));
  });
  /** @param {string} method @param {string} path @param {object} [body] */
  const ask = async (method, path, body) => {
    const { ok, value } = await request(`${url}${path}`, method, body).catch((cause) => {
      throw new Error(running.failure ?? `WebKitWebDriver does not answer: ${cause.message}`, { cause });
    });
    if (!ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const { sessionId, capabilities } = await ask('POST', '/session', {
    capabilities: {
      alwaysMatch: {
        timeouts: { script: patience, pageLoad: patience },
        'webkitgtk:browserOptions': { args: ['--automation', '--enable-write-console-messages-to-stdout=true'] },
      },
    },
  });
  const session = `/session/${sessionId}`;
  /** @type {string[]} */
  const complaints = [];
  /** @type {Browser['evaluate']} */
  const evaluate = async (f, argument) => {
    const answer = await ask('POST', `${session}/execute/async`, {
      script: `const done = arguments[1];
        (${wrap(f)})(arguments[0]).then((answer) => done({ ...answer, complaints: globalThis[Symbol.for('complaints')]?.splice(0) }));`,
      args: [toText(argument) ?? null],
    });
    complaints.push(...(answer.complaints ?? []));
    return unwrap('webkit', answer);
  };
  return {
    name: 'webkit',
    title: 'WebKitGTK',
    version: capabilities.browserVersion,
    complaints,
    goto: async (address) => {
      await ask('POST', `${session}/url`, { url: address });
      await evaluate(record);
    },
    evaluate,
    close: () => ask('DELETE', session),
  };
}

/** This protocol does not tell what a page complains of, so the page notes it down; what it says while it loads is missed. */
function record() {
  /** @type {string[]} */
  const list = [];
  /** @type {any} */ (globalThis)[Symbol.for('complaints')] = list;
  for (const level of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug'])) {
    const plain = console[level];
    console[level] = (...args) => {
      list.push(`${level}: ${args.map(String).join(' ')}`);
      plain.apply(console, args);
    };
  }
  addEventListener('error', (event) => list.push(String(event.error ?? event.message)));
  addEventListener('unhandledrejection', (event) => list.push(`unhandled: ${event.reason}`));
  document.addEventListener('securitypolicyviolation', (event) => {
    // WebKit asks for a page's icon by itself, at a time of its choosing: that request is not the page's.
    if (event.blockedURI !== new URL('/favicon.ico', location.href).href) list.push(`blocked by ${event.violatedDirective}: ${event.blockedURI}`);
  });
}

/**
 * fetch gives up after five minutes without an answer, and an evaluation may take longer.
 * @param {string} url
 * @param {string} method
 * @param {object} [body]
 * @returns {Promise<{ ok: boolean, value: any }>}
 */
async function request(url, method, body) {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body);
    const req = send(url, { method, headers: text ? { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) } : {} }, async (response) => {
      try {
        let answer = '';
        for await (const chunk of response.setEncoding('utf8')) answer += chunk;
        resolve({ ok: response.statusCode === 200, value: JSON.parse(answer).value });
      } catch (error) {
        reject(error);
      }
    });
    req.on('error', reject);
    req.end(text);
  });
}
