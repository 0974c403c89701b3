// The order of the test files: the longest first, so that no core waits for the other at the end.
import { relative } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/** A minute and more each, longest first. Jest puts the others in order of their size. */
const LONG = [
  'test/converters/programs.test.ts',
  'test/e2e/kills.test.ts',
  'test/e2e/sensors.test.ts',
  'test/e2e/all-ways.test.ts',
  'test/e2e/doors.test.ts',
  'test/e2e/source-kills.test.ts',
  'test/e2e/targets.test.ts',
  'test/e2e/outages.test.ts',
  'test/contract/sources/rclone.test.ts',
  'test/contract/sources/rsync.test.ts',
  'test/e2e/stop-start.test.ts',
];

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const place = ({ path, context }) => {
      const at = LONG.indexOf(relative(context.config.rootDir, path));
      return at < 0 ? LONG.length : at;
    };
    return super.sort(tests).sort((a, b) => place(a) - place(b));
  }
}
