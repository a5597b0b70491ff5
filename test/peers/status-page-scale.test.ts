import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from './support/chromium.ts';
import { describeWithPeers } from './support/peers.ts';
import { scenePages, statusScene } from './support/status-scene.ts';
import { patienceMs } from './support/until.ts';

/** A folder for a picture of each page, to be looked at; none are made without one. */
const pictures = process.env['ISTHMUS_PICTURES'];

const widths = [1280, 400] as const;
const themes = ['light', 'dark'] as const;

/** The longest page has 200 rows. */
const maxPageBytes = 400_000;

describeWithPeers('the status page in Chromium', ['chromium'], ({ chromium }) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium(chromium);
  }, patienceMs);
  afterAll(() => browser.close());

  describe.each([10, 10_000, 100_000])('with %i resources, without JavaScript', (size) => {
    test('each page is of a size that can be read, and not wider than the window', async () => {
      const address = await statusScene(size);
      const page = await browser.newPage();
      await page.setJavaScriptEnabled(false);
      for (const [name, path] of Object.entries(scenePages)) {
        for (const width of widths) {
          for (const theme of themes) {
            await page.setViewport({ width, height: 900 });
            await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
            const response = await page.goto(`${address}${path}`);
            expect([name, response?.status()]).toEqual([name, 200]);
            expect((await response?.buffer())?.length, name).toBeLessThan(maxPageBytes);
            const over = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
            expect([name, width, theme, Math.max(0, Number(over))]).toEqual([name, width, theme, 0]);
            if (pictures !== undefined) {
              mkdirSync(pictures, { recursive: true });
              await page.screenshot({
                path: join(pictures, `${name}-${size}-${width}-${theme}.png`),
                clip: clipOf(width),
              });
            }
          }
        }
      }
    }, 600_000);
  });
});

/** What is seen first, and a good part of what comes behind. */
const clipOf = (width: number) => ({ x: 0, y: 0, width, height: width < 1000 ? 1800 : 1400 });
