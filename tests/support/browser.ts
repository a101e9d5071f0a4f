/** A real browser for the lessons whose last word is the browser's. Chromium, Chrome or Edge, as installed. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Browser } from 'playwright-core';

const { env, platform } = process;

/** Where the three are found, apart from the folders of PATH. */
const usualPlaces: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ['', env['HOME'] ?? ''].flatMap((home) =>
    ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
      (name) => `${home}/Applications/${name}.app/Contents/MacOS/${name}`,
    ),
  ),
  win32: [env['PROGRAMFILES'], env['PROGRAMFILES(X86)'], env['LOCALAPPDATA']].flatMap((base) =>
    base === undefined
      ? []
      : [
          'Google\\Chrome\\Application\\chrome.exe',
          'Chromium\\Application\\chrome.exe',
          'Microsoft\\Edge\\Application\\msedge.exe',
        ].map((path) => join(base, path)),
  ),
  linux: ['/opt/google/chrome/chrome', '/snap/bin/chromium', '/opt/microsoft/msedge/msedge'],
};

const commands = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
  'microsoft-edge',
];

/**
 * The browser's program: what `CHROME_PATH` names, or one in the usual places. `undefined` where there is none.
 * @throws when `CHROME_PATH` names nothing that can be run
 */
export function findBrowser(): string | undefined {
  const named = env['CHROME_PATH'];
  if (named) {
    if (!canRun(named)) throw new Error(`CHROME_PATH names ${named}, and that cannot be run.`);
    return named;
  }
  const folders = platform === 'win32' ? [] : (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const onPath = commands.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...onPath, ...(usualPlaces[platform] ?? [])].find(canRun);
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What to tell somebody who has none. */
export const howToGetOne =
  'No Chromium, Chrome or Edge was found. Install one (Debian and Ubuntu: apt install chromium; macOS: brew install --cask chromium; ' +
  'Windows: Edge is there already), or let CHROME_PATH name its program.';

const switches = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Whatever a page asks for, nothing leaves this machine.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost',
];

/**
 * Runs `use` with a headless browser that has a new, empty profile, and ends the browser.
 * @throws when there is no browser, or it does not start within 30 s
 */
export async function withBrowser<T>(use: (browser: Browser) => Promise<T>): Promise<T> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error(howToGetOne);
  const { chromium } = await import('playwright-core');
  // Playwright makes the profile's folder for each launch, and removes it.
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: switches,
    timeout: 30_000,
  });
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}
