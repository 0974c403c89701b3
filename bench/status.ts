// Not yet.
import type { Bench } from './harness.js';
export const status: Bench = () => Promise.reject(new Error('not yet'));
