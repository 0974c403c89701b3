// Not yet.
import type { Bench } from './harness.js';
export const convert: Bench = () => Promise.reject(new Error('not yet'));
